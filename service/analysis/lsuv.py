"""LSUV: orthonormal weights, each layer scaled so that its output on a batch has variance 1.

Outputs are linear in the weights, so one pass finds every scale. Scales are rounded to 12
significant bits and written into the recipe as gains. After that nothing depends on the batch, or
on the order in which a machine adds.

Source: Mishkin & Matas 2016: https://arxiv.org/abs/1511.06422
"""

import math
from typing import Any, NamedTuple

import numpy as np

from service.analysis.activation import Values
from service.analysis.chain import Chain, Link
from service.analysis.links import CHANNELS_FIRST, chain_of
from service.analysis.measure import examples, excess
from service.analysis.network import Weights, applied, forward, linear, shape_of
from service.analysis.question import Calibration, Input, ask, within
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


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def calibrate(
    text: bytes, limits: Limits, pipeline: Pipeline, given: Values | None = None
) -> dict[str, Any]:
    """Return the body of the response to ``POST /v1/calibrate``.

    Args:
        text: The request, JSON.
        limits: The limits.
        pipeline: Computes the weights.
        given: The batch, in the convention's order of axes; the generator draws one if left out.

    Raises:
        RecipeTooLarge: More text than ``max_body_bytes``.
        MalformedRecipe: Not strict JSON.
        InvalidRecipe: It cannot be carried out, exceeds a limit, or a scale does not exist.
    """
    asked, recipe = ask(Calibration, text, limits)
    if given is not None and (stated := asked.model_fields_set & {"batch", "input"}):
        said = "it is of a batch that is drawn, and one was sent: leave it out"
        raise InvalidRecipe([Problem(f"/{name}", said) for name in sorted(stated)])
    if not recipe.layers:
        said = "gains are written into layers, and there are none: state them"
        raise InvalidRecipe([Problem("/recipe/layers", said)])
    layers = [_orthonormal(layer) for layer in recipe.layers]
    recipe = recipe.model_copy(update={"layers": tuple(layers), "include": None})
    with within("/recipe"):
        plan = compile(recipe, limits)
    chain = chain_of(_sized(asked, recipe, given), recipe, plan, limits)
    _check(chain, asked.batch if given is None else len(given), limits)
    if given is None:
        shape = shape_of(chain, asked.batch)
        given = examples(shape, recipe.seed, chain.variance, 0.0, pipeline)
    else:
        given = _channels_last(chain, given)
    scales = _scales(chain, Weights(plan, pipeline), given)
    return {
        "recipe": _written(asked.recipe, chain, scales),
        "layers": [
            {"name": link.name, "std": scale.std, "gain": scale.gain}
            for link, scale in zip(chain.layers, scales, strict=True)
        ],
    }


class _Scale(NamedTuple):
    """The scale of a layer.

    Args:
        std: Standard deviation of its output under orthonormal weights, with biases.
        gain: Factor of its weights.
    """

    std: float
    gain: float


def _orthonormal(layer: AnyLayer) -> AnyLayer:
    if any(parameter.kind == "weight" for parameter in layer.parameters()):
        return layer.model_copy(update={"init": Orthogonal()})
    return layer


def _sized(asked: Calibration, recipe: Recipe, given: Values | None) -> Calibration:
    """Return the request with the size of the given images."""
    if given is None or not any(isinstance(layer, Convolution) for layer in recipe.layers):
        return asked
    is_first = recipe.convention in CHANNELS_FIRST
    size = given.shape[2:] if is_first else given.shape[1:-1]
    return asked.model_copy(update={"input": Input.model_construct(size=size or None)})


def _channels_last(chain: Chain, given: Values) -> Values:
    """Return a batch with the channels last, as chains expect.

    Raises:
        InvalidRecipe: Its shape does not fit the chain.
    """
    is_turned = chain.links[0].channels_first and given.ndim > 1
    turned = np.moveaxis(given, 1, -1) if is_turned else given
    if turned.shape == (wanted := shape_of(chain, len(given))):
        return turned
    if is_turned:
        wanted = (wanted[0], wanted[-1], *wanted[1:-1])
    said = f"it has the shape {list(given.shape)}, and {list(wanted)} would enter the chain"
    raise InvalidRecipe([Problem("/batch", said)])


def _check(chain: Chain, batch: int, limits: Limits) -> None:
    """Check that every weight can be scaled, and that the batch is not too much work.

    Raises:
        InvalidRecipe: A rule or model_scheme overrides a weight, or the batch is too much work.
    """
    problems = [
        Problem(
            link.pointer,
            f"{truncate(link.name)} is set by a rule or by model_scheme, which have the last word:"
            " let them leave its weights",
        )
        for link in chain.layers
        if link.weight and any(r.scheme != Orthogonal() for r in link.weight.tensor.source.regions)
    ]
    found = excess(chain, batch, 1, limits)
    if found:
        problems.append(Problem("/batch", found[1]))
    if problems:
        raise InvalidRecipe(problems[: limits.max_errors])


def _scales(chain: Chain, weights: Weights, given: Values) -> list[_Scale]:
    """Return the scale of each layer with weights, with the layers before it scaled.

    Raises:
        InvalidRecipe: A layer's output is the same everywhere, or its biases vary too much.
    """
    found: list[_Scale] = []

    def apply(link: Link, values: Values) -> Values:
        weight, bias = weights.of(link.weight), weights.of(link.bias)
        if weight is None or not link.has_weights:
            return applied(weights, link, values)
        sums = linear(link, weight, values)
        biases = np.zeros(link.outputs) if bias is None else bias
        gain = _gain(link, sums, biases)
        found.append(_Scale(float((sums + biases).std()), gain))
        return gain * sums + biases

    forward(chain, given, apply)
    return found


def _gain(link: Link, sums: Values, biases: Values) -> float:
    """Return the gain g for which g * sums + biases has variance 1, rounded."""
    square = float(sums.var())
    shared = float((sums.mean(axis=tuple(range(sums.ndim - 1))) * biases).mean())
    shared -= float(sums.mean()) * float(biases.mean())
    rest = 1 - float(biases.var())
    if not square > 0 or rest <= 0 or not math.isfinite(square):
        raise InvalidRecipe(
            [
                Problem(
                    link.pointer,
                    f"no gain gives {truncate(link.name)} outputs of variance 1: without biases it"
                    f" is {square:g} on this batch, and that of its biases {1 - rest:g}",
                )
            ]
        )
    mantissa, exponent = math.frexp((math.sqrt(shared * shared + square * rest) - shared) / square)
    return math.ldexp(round(mantissa * 2**_BITS), exponent - _BITS)


def _written(recipe: dict[str, Any], chain: Chain, scales: list[_Scale]) -> dict[str, Any]:
    """Return a recipe, as its client wrote it, with the scales in its layers' inits."""
    layers = [dict(layer) for layer in recipe["layers"]]
    for link, scale in zip(chain.layers, scales, strict=True):
        index = int(link.pointer.rpartition("/")[2])
        layers[index]["init"] = canonical(Orthogonal(gain=scale.gain))
    return {**recipe, "layers": layers}
