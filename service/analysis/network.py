"""A chain with its generated weights in float64: forward and backward passes of a batch."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from service.analysis.activation import Values
from service.analysis.chain import EPSILON, POINTWISE_NORMS, Chain, Held, Link
from service.analysis.window import taps
from service.catalogue.schemes import Normal
from service.catalogue.weight import tensor
from service.plan import Plan, PlannedTensor, compile
from service.recipe import Recipe
from service.stream.pipeline import Pipeline

_AXES = "OI"


class Weights:
    """The generated values of a plan, a tensor at a time.

    Args:
        plan: The plan.
        pipeline: Computes the values.
    """

    def __init__(self, plan: Plan, pipeline: Pipeline) -> None:
        self._plan = plan
        self.pipeline = pipeline
        self._tensors = {tensor.name: tensor for tensor in plan.tensors}

    def of(self, held: Held | None) -> Values | None:
        """Return a tensor as float64: its outputs first, then its inputs, then its window."""
        if held is None:
            return None
        letters, tensor = held.letters, self._tensors[held.tensor.name]
        order = sorted(range(len(letters)), key=lambda axis: _rank(letters[axis]))
        values = np.transpose(self._read(tensor), order)
        if held.part is None:
            return values
        size = held.tensor.shape[held.letters.index("O")] // held.parts
        return values[held.part * size : (held.part + 1) * size]

    def read(self, name: str) -> Values:
        """Return a tensor as float64."""
        return self._read(self._tensors[name])

    def _read(self, tensor: PlannedTensor) -> Values:
        out = np.empty(tensor.nbytes, dtype=np.uint8)
        self.pipeline.fill(self._plan, len(self._plan.header) + tensor.begin, out)
        values: Values = tensor.dtype.decoded(out).reshape(tensor.shape)
        return values


def _rank(letter: str) -> int:
    return _AXES.index(letter) if letter in _AXES else len(_AXES)


def gaussian(seed: int, name: str, shape: tuple[int, ...], pipeline: Pipeline) -> Values:
    """Return standard normal values, drawn by the generator from a seed and a name."""
    drawn = tensor(name, shape, Normal(std=1.0))
    recipe = Recipe.model_construct(seed=seed, dtype="F64", tensors=(drawn,))
    return Weights(compile(recipe), pipeline).read(name)


class Pass(NamedTuple):
    """A forward pass of a batch through a chain.

    Args:
        entered: The input of each link, before its activation; (batch, *places, channels).
        left: Its output, or the stream that the output was added to.
    """

    entered: list[Values]
    left: list[Values]


Apply = Callable[[Link, Values], Values]
"""From a link and its input, after the activation, to its output."""


def forward(chain: Chain, signal: Values, apply: Apply) -> Pass:
    """Pass a batch through a chain.

    Args:
        chain: The links.
        signal: (batch, *places, channels).
        apply: Applies a link.
    """
    entered, left = [], []
    stream = signal
    for link in chain.links:
        if link.opens:
            stream = signal
        entered.append(signal)
        signal = apply(link, link.before.at(signal).value)
        if link.closes:
            signal = stream + chain.scale * signal
        left.append(signal)
    return Pass(entered, left)


def backward(chain: Chain, weights: Weights, passed: Pass, gradient: Values) -> Iterator[Values]:
    """Yield the gradients at the links' outputs, from the last to the first.

    Args:
        chain: The links.
        weights: Their weights.
        passed: The forward pass.
        gradient: The gradient at the end, of the output's shape.
    """
    stream = gradient
    for link, entered in zip(reversed(chain.links), reversed(passed.entered), strict=True):
        yield gradient
        if link.closes:
            stream, gradient = gradient, chain.scale * gradient
        response = link.before.at(entered)
        gradient = _transposed(link, weights, gradient, response.value) * response.slope
        if link.opens:
            gradient = stream + gradient


def applied(weights: Weights, link: Link, values: Values) -> Values:
    """Return the output of a link."""
    weight, bias = weights.of(link.weight), weights.of(link.bias)
    if link.has_weights:
        assert weight is not None  # noqa: S101 - a link with weights has them
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
        values: (batch, *places, channels).
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
    """Return the gradient at a link's input, of ``values`` there."""
    weight = weights.of(link.weight)
    if not link.has_weights:
        return _normalized_back(link, gradient if weight is None else gradient * weight, values)
    assert weight is not None  # noqa: S101
    if link.kind == "linear":
        flat = gradient @ weight
        if not link.channels_first or not link.places:
            return flat.reshape(values.shape)
        turned = flat.reshape(len(flat), values.shape[-1], *link.places)
        return np.moveaxis(turned, 1, -1)
    out = np.zeros_like(values)
    for tap, outputs, inputs in taps(link.window, link.places):
        out[:, *inputs] += _grouped_back(gradient[:, *outputs], weight[tap], link.groups)
    return out


def _grouped_back(gradient: Values, weight: Values, groups: int) -> Values:
    each = weight.reshape(groups, -1, weight.shape[1]).transpose(0, 2, 1)
    return _grouped(gradient, each.reshape(-1, each.shape[2]), groups)


def _spanned(link: Link, values: Values) -> tuple[Values, tuple[int, ...]]:
    """Return values and the axes over which a norm averages; groups have an axis of their own."""
    last = values.ndim - 1
    if link.type in POINTWISE_NORMS:
        return values, (last,)
    match link.type:
        case "batch_norm":
            return values, tuple(range(last))
        case "instance_norm":
            return values, tuple(range(1, last)) or (last,)
    cut = values.reshape(*values.shape[:-1], link.groups, -1)
    return cut, (*range(1, last), last + 1)


def _normalized(link: Link, values: Values) -> tuple[Values, Values]:
    """Return normalized values and their divisors; groups have an axis of their own."""
    cut, axes = _spanned(link, values)
    centre = 0.0 if link.type == "rms_norm" else cut.mean(axes, keepdims=True)
    size = np.sqrt(((cut - centre) ** 2).mean(axes, keepdims=True) + EPSILON)
    return ((cut - centre) / size).reshape(values.shape), size


def _normalized_back(link: Link, gradient: Values, values: Values) -> Values:
    normalized, size = _normalized(link, values)
    cut, axes = _spanned(link, gradient)
    along, _ = _spanned(link, normalized)
    rest = cut - along * (cut * along).mean(axes, keepdims=True)
    if link.type != "rms_norm":
        rest = rest - cut.mean(axes, keepdims=True)
    found: Values = (rest / size).reshape(values.shape)
    return found


def shape_of(chain: Chain, batch: int) -> tuple[int, ...]:
    """Return the shape of a batch that enters a chain: (batch, *places, channels)."""
    first = chain.links[0]
    channels = first.inputs // (math.prod(first.places) if first.kind == "linear" else 1)
    return (batch, *first.places, channels)
