"""Forward and backward passes of a batch through a chain's generated weights, in float64."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from service.analysis.activation import Values
from service.analysis.chain import EPSILON, POINTWISE_NORMS, Chain, Link, LinkTensor
from service.analysis.window import taps
from service.catalogue.schemes import Normal
from service.catalogue.weight import tensor
from service.plan import Plan, PlannedTensor, compile
from service.recipe import Recipe
from service.stream.pipeline import Pipeline

_AXES = "OI"
"""The letters of the axes that come first in a weight: outputs, then inputs."""


class Weights:
    """The generated values of a plan, computed one tensor at a time.

    Args:
        plan: The plan.
        pipeline: Computes the values.
    """

    def __init__(self, plan: Plan, pipeline: Pipeline) -> None:
        self._plan = plan
        self.pipeline = pipeline
        self._tensors = {tensor.name: tensor for tensor in plan.tensors}

    def of(self, link_tensor: LinkTensor | None) -> Values | None:
        """Return a link's tensor as float64, with the axes (outputs, inputs, *window)."""
        if link_tensor is None:
            return None
        letters, tensor = link_tensor.letters, self._tensors[link_tensor.tensor.name]
        order = sorted(range(len(letters)), key=lambda axis: _rank(letters[axis]))
        values = np.transpose(self._read(tensor), order)
        if link_tensor.part is None:
            return values
        size = link_tensor.tensor.shape[link_tensor.letters.index("O")] // link_tensor.parts
        return values[link_tensor.part * size : (link_tensor.part + 1) * size]

    def read(self, name: str) -> Values:
        """Return the tensor with this name as float64."""
        return self._read(self._tensors[name])

    def _read(self, tensor: PlannedTensor) -> Values:
        out = np.empty(tensor.nbytes, dtype=np.uint8)
        self.pipeline.fill(self._plan, len(self._plan.header) + tensor.begin, out)
        values: Values = tensor.dtype.decoded(out).reshape(tensor.shape)
        return values


def _rank(letter: str) -> int:
    return _AXES.index(letter) if letter in _AXES else len(_AXES)


def gaussian(seed: int, name: str, shape: tuple[int, ...], pipeline: Pipeline) -> Values:
    """Return standard normal values that the generator draws from a seed and a name."""
    drawn = tensor(name, shape, Normal(std=1.0))
    recipe = Recipe.model_construct(seed=seed, dtype="F64", tensors=(drawn,))
    return Weights(compile(recipe), pipeline).read(name)


class Pass(NamedTuple):
    """A forward pass of a batch through a chain.

    Args:
        inputs: The input of each link, before its activation; (batch, *places, channels).
        outputs: The output of each link, or the stream after the output was added to it.
    """

    inputs: list[Values]
    outputs: list[Values]


Apply = Callable[[Link, Values], Values]
"""A function that returns the output of a link, given its input after the activation."""


def forward(chain: Chain, signal: Values, apply: Apply) -> Pass:
    """Pass a batch through a chain.

    Args:
        chain: The links.
        signal: The batch, (batch, *places, channels).
        apply: Applies a link to its input.
    """
    inputs, outputs = [], []
    stream = signal
    for link in chain.links:
        if link.opens:
            stream = signal
        inputs.append(signal)
        signal = apply(link, link.before.at(signal).value)
        if link.closes:
            signal = stream + chain.scale * signal
        outputs.append(signal)
    return Pass(inputs, outputs)


def backward(chain: Chain, weights: Weights, passed: Pass, gradient: Values) -> Iterator[Values]:
    """Yield the gradients at the links' outputs, from the last to the first.

    Args:
        chain: The links.
        weights: The weights of the links.
        passed: The forward pass.
        gradient: The gradient at the end of the chain, of the output's shape.
    """
    stream = gradient
    for link, values in zip(reversed(chain.links), reversed(passed.inputs), strict=True):
        yield gradient
        if link.closes:
            stream, gradient = gradient, chain.scale * gradient
        response = link.before.at(values)
        gradient = _transposed(link, weights, gradient, response.value) * response.slope
        if link.opens:
            gradient = stream + gradient


def apply_link(weights: Weights, link: Link, values: Values) -> Values:
    """Return the output of a link, given its input after the activation."""
    weight, bias = weights.of(link.weight), weights.of(link.bias)
    if link.has_weights:
        assert weight is not None  # noqa: S101 - never None if has_weights
        values = linear(link, weight, values)
    else:
        values, _ = _normalized(link, values)
        values = values if weight is None else values * weight
    return values if bias is None else values + bias


def linear(link: Link, weight: Values, values: Values) -> Values:
    """Return the weighted sums of a layer, without its biases.

    Args:
        link: A layer with weights.
        weight: (outputs, inputs, *window).
        values: The input after the activation, (batch, *places, channels).
    """
    if link.kind == "linear":
        return _flat(link, values) @ weight.T
    out = np.zeros((*values.shape[:-1], link.outputs))
    for tap, outputs, inputs in taps(link.window, link.places):
        out[:, *outputs] += _grouped(values[:, *inputs], weight[tap], link.groups)
    return out


def _flat(link: Link, values: Values) -> Values:
    if link.places and link.channels_first:
        values = np.moveaxis(values, -1, 1)
    return values.reshape(len(values), -1)


def _grouped(values: Values, weight: Values, groups: int) -> Values:
    """Return values (..., inputs) times weight (outputs, inputs/groups), group by group."""
    if groups == 1:
        product: Values = values @ weight.T
        return product
    split = values.reshape(-1, groups, values.shape[-1] // groups).swapaxes(0, 1)
    each = weight.reshape(groups, -1, weight.shape[1]).swapaxes(1, 2)
    return (split @ each).swapaxes(0, 1).reshape(*values.shape[:-1], -1)


def _transposed(link: Link, weights: Weights, gradient: Values, values: Values) -> Values:
    """Return the gradient at a link's input ``values``, given the gradient at its output."""
    weight = weights.of(link.weight)
    if not link.has_weights:
        return _normalized_back(link, gradient if weight is None else gradient * weight, values)
    assert weight is not None  # noqa: S101
    if link.kind == "linear":
        flat = gradient @ weight
        if not link.channels_first or not link.places:
            return flat.reshape(values.shape)
        channels_first = flat.reshape(len(flat), values.shape[-1], *link.places)
        return np.moveaxis(channels_first, 1, -1)
    out = np.zeros_like(values)
    for tap, outputs, inputs in taps(link.window, link.places):
        out[:, *inputs] += _grouped_back(gradient[:, *outputs], weight[tap], link.groups)
    return out


def _grouped_back(gradient: Values, weight: Values, groups: int) -> Values:
    each = weight.reshape(groups, -1, weight.shape[1]).transpose(0, 2, 1)
    return _grouped(gradient, each.reshape(-1, each.shape[2]), groups)


def _grouped_for(link: Link, values: Values) -> tuple[Values, tuple[int, ...]]:
    """Return values and the axes that a norm averages over; a group norm gets an axis of groups."""
    last = values.ndim - 1
    if link.type in POINTWISE_NORMS:
        return values, (last,)
    match link.type:
        case "batch_norm":
            return values, tuple(range(last))
        case "instance_norm":
            return values, tuple(range(1, last)) or (last,)
    grouped = values.reshape(*values.shape[:-1], link.groups, -1)
    return grouped, (*range(1, last), last + 1)


def _normalized(link: Link, values: Values) -> tuple[Values, Values]:
    """Return normalized values and divisors; a group norm's divisors have an axis of groups."""
    grouped, axes = _grouped_for(link, values)
    mean = 0.0 if link.type == "rms_norm" else grouped.mean(axes, keepdims=True)
    divisor = np.sqrt(((grouped - mean) ** 2).mean(axes, keepdims=True) + EPSILON)
    return ((grouped - mean) / divisor).reshape(values.shape), divisor


def _normalized_back(link: Link, gradient: Values, values: Values) -> Values:
    normalized, divisor = _normalized(link, values)
    grouped, axes = _grouped_for(link, gradient)
    direction, _ = _grouped_for(link, normalized)
    rest = grouped - direction * (grouped * direction).mean(axes, keepdims=True)
    if link.type != "rms_norm":
        rest = rest - grouped.mean(axes, keepdims=True)
    back: Values = (rest / divisor).reshape(values.shape)
    return back


def shape_of(chain: Chain, batch: int) -> tuple[int, ...]:
    """Return the shape of a chain's input: (batch, *places, channels)."""
    first = chain.links[0]
    channels = first.inputs // (math.prod(first.places) if first.kind == "linear" else 1)
    return (batch, *first.places, channels)
