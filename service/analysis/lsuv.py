"""LSUV: orthonormal weights, each layer scaled so that its output on a batch has variance 1.

Outputs are linear in the weights, so one pass finds every scale. Scales are rounded to 12
significant bits, which hides differences in the order of summation between machines. They are
written into the recipe as gains, so the recipe does not depend on the batch afterwards.

Source: Mishkin & Matas 2016: https://arxiv.org/abs/1511.06422
"""

import math
from typing import Any, NamedTuple

import numpy as np

from service.analysis.activation import Values
from service.analysis.chain import Chain, Link
from service.analysis.links import CHANNELS_FIRST, chain_of
from service.analysis.measure import examples, over_limit
from service.analysis.network import Weights, apply_link, forward, linear, shape_of
from service.analysis.question import Calibration, Input, parse_request, within
from service.catalogue.layers import AnyLayer
from service.catalogue.layers.convolution import Convolution
from service.catalogue.schemes import Orthogonal
from service.catalogue.schemes.scheme import canonical
from service.errors import InvalidRecipe, Problem, truncate
from service.limits import Limits
from service.plan import compile
from service.recipe import Recipe
from service.stream.pipeline import Pipeline

_BITS = 12
"""Significant bits of a gain."""


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def calibrate(
    text: bytes, limits: Limits, pipeline: Pipeline, data: Values | None = None
) -> dict[str, Any]:
    """Return the body of the response to ``POST /v1/calibrate``.

    Args:
        text: The request, JSON.
        limits: The limits.
        pipeline: Computes the weights.
        data: The batch, with its axes in the convention's order; by default the generator draws it.

    Raises:
        RecipeTooLarge: The request is longer than ``max_body_bytes``.
        MalformedRecipe: The request is not strict JSON.
        InvalidRecipe: The request or its recipe is invalid or exceeds a limit, or no gain gives a
            layer outputs of variance 1.
    """
    request, recipe = parse_request(Calibration, text, limits)
    if data is not None and (stated := request.model_fields_set & {"batch", "input"}):
        detail = "it describes a drawn batch, but a batch was sent: leave it out"
        raise InvalidRecipe([Problem(f"/{name}", detail) for name in sorted(stated)])
    if not recipe.layers:
        detail = "the recipe has no layers to write gains into: state its layers"
        raise InvalidRecipe([Problem("/recipe/layers", detail)])
    layers = [_orthonormal(layer) for layer in recipe.layers]
    recipe = recipe.model_copy(update={"layers": tuple(layers), "include": None})
    with within("/recipe"):
        plan = compile(recipe, limits)
    chain = chain_of(_with_size(request, recipe, data), recipe, plan, limits)
    _check(chain, request.batch if data is None else len(data), limits)
    if data is None:
        shape = shape_of(chain, request.batch)
        data = examples(shape, recipe.seed, chain.variance, 0.0, pipeline)
    else:
        data = _channels_last(chain, data)
    scales = _scales(chain, Weights(plan, pipeline), data)
    return {
        "recipe": _with_gains(request.recipe, chain, scales),
        "layers": [
            {"name": link.name, "std": scale.std, "gain": scale.gain}
            for link, scale in zip(chain.layers, scales, strict=True)
        ],
    }


class _Scale(NamedTuple):
    """The scale of a layer.

    Args:
        std: Standard deviation of the output with orthonormal weights and the layer's biases.
        gain: Factor that its weights are scaled by.
    """

    std: float
    gain: float


def _orthonormal(layer: AnyLayer) -> AnyLayer:
    if any(parameter.kind == "weight" for parameter in layer.parameters()):
        return layer.model_copy(update={"init": Orthogonal()})
    return layer


def _with_size(request: Calibration, recipe: Recipe, data: Values | None) -> Calibration:
    """Return the request with the size of the images that were sent."""
    if data is None or not any(isinstance(layer, Convolution) for layer in recipe.layers):
        return request
    is_first = recipe.convention in CHANNELS_FIRST
    size = data.shape[2:] if is_first else data.shape[1:-1]
    return request.model_copy(update={"input": Input.model_construct(size=size or None)})


def _channels_last(chain: Chain, data: Values) -> Values:
    """Return a batch with the channels last, as chains expect.

    Raises:
        InvalidRecipe: The batch's shape does not fit the chain.
    """
    is_first = chain.links[0].channels_first and data.ndim > 1
    moved = np.moveaxis(data, 1, -1) if is_first else data
    if moved.shape == (expected := shape_of(chain, len(data))):
        return moved
    if is_first:
        expected = (expected[0], expected[-1], *expected[1:-1])
    detail = f"it has the shape {list(data.shape)}, but the chain takes {list(expected)}"
    raise InvalidRecipe([Problem("/batch", detail)])


def _check(chain: Chain, batch: int, limits: Limits) -> None:
    """Check that every weight can be scaled, and that the batch stays within the limits.

    Raises:
        InvalidRecipe: A rule or model_scheme overrides a weight, or the batch exceeds a limit.
    """
    problems = [
        Problem(
            link.pointer,
            f"a rule or model_scheme overrides the init of {truncate(link.name)}: exclude its"
            " weights there",
        )
        for link in chain.layers
        if link.weight and any(r.scheme != Orthogonal() for r in link.weight.tensor.source.regions)
    ]
    over = over_limit(chain, batch, 1, limits)
    if over:
        problems.append(Problem("/batch", over[1]))
    if problems:
        raise InvalidRecipe(problems[: limits.max_errors])


def _scales(chain: Chain, weights: Weights, data: Values) -> list[_Scale]:
    """Return the scale of each layer with weights, computed with the layers before it scaled.

    Raises:
        InvalidRecipe: A layer's output is constant, or its biases vary too much.
    """
    scales: list[_Scale] = []

    def apply(link: Link, values: Values) -> Values:
        weight, bias = weights.of(link.weight), weights.of(link.bias)
        if weight is None or not link.has_weights:
            return apply_link(weights, link, values)
        sums = linear(link, weight, values)
        biases = np.zeros(link.outputs) if bias is None else bias
        gain = _gain(link, sums, biases)
        scales.append(_Scale(float((sums + biases).std()), gain))
        return gain * sums + biases

    forward(chain, data, apply)
    return scales


def _gain(link: Link, sums: Values, biases: Values) -> float:
    """Return the gain g for which g * sums + biases has variance 1, rounded to `_BITS` bits.

    Raises:
        InvalidRecipe: There is no such gain.
    """
    square = float(sums.var())
    covariance = float((sums.mean(axis=tuple(range(sums.ndim - 1))) * biases).mean())
    covariance -= float(sums.mean()) * float(biases.mean())
    rest = 1 - float(biases.var())
    if not square > 0 or rest <= 0 or not math.isfinite(square):
        raise InvalidRecipe(
            [
                Problem(
                    link.pointer,
                    f"no gain gives {truncate(link.name)} outputs of variance 1: on this batch"
                    f" their variance is {square:g} without biases, and that of the biases is"
                    f" {1 - rest:g}",
                )
            ]
        )
    root = math.sqrt(covariance * covariance + square * rest)
    mantissa, exponent = math.frexp((root - covariance) / square)
    return math.ldexp(round(mantissa * 2**_BITS), exponent - _BITS)


def _with_gains(recipe: dict[str, Any], chain: Chain, scales: list[_Scale]) -> dict[str, Any]:
    """Return a recipe as the client wrote it, with the gains in its layers' inits."""
    layers = [dict(layer) for layer in recipe["layers"]]
    for link, scale in zip(chain.layers, scales, strict=True):
        index = int(link.pointer.rpartition("/")[2])
        layers[index]["init"] = canonical(Orthogonal(gain=scale.gain))
    return {**recipe, "layers": layers}
