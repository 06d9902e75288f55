"""Measurement of a chain: a batch's signals, gradients and dead units at each layer, in float64."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from service.analysis.activation import Activation, Values
from service.analysis.chain import Chain, Link
from service.analysis.expectation import flat_below
from service.analysis.network import (
    Pass,
    Weights,
    apply_link,
    backward,
    forward,
    gaussian,
    shape_of,
)
from service.analysis.question import Measure, Pairs
from service.limits import Limits
from service.recipe import Recipe
from service.stream.pipeline import Pipeline

_OWN, _COMMON, _END = (f"tensorseed.analysis.{name}" for name in ("own", "common", "gradient"))
"""Names of the tensors from which the batch and the gradient at the end are drawn."""

_ACTIVATION_COST, _DRAW_COST = 256, 16
"""Cost of an activation of one value, and of drawing one weight, in multiplications."""


class Layer(NamedTuple):
    """What is measured at a layer's output.

    Args:
        ln_q: Logarithm of the mean square.
        ln_gradient: Logarithm of the mean squared gradient, relative to the last layer's.
        mean: Mean of the values.
        std: Standard deviation of the values.
        rms: Root mean square of the values.
        gradient_rms: Root mean square of the gradient.
        dead: Share of units whose activation is flat for the whole batch.
        saturated: Share of values at which the activation is flat.
        correlation: Mean cosine of consecutive examples.
    """

    ln_q: float
    ln_gradient: float
    mean: float
    std: float
    rms: float
    gradient_rms: float
    dead: float
    saturated: float
    correlation: float


def measure(
    chain: Chain,
    recipe: Recipe,
    request: Measure,
    input_: Pairs,
    weights_of: Callable[[Recipe], Weights],
) -> list[Layer]:
    """Return the measurement at each layer with weights, averaged over networks.

    Args:
        chain: The links of the recipe, with all of its tensors.
        recipe: The recipe. The first network has its seed, the others the seeds after it.
        request: The number of examples and of networks.
        input_: The input.
        weights_of: Returns the weights of a recipe.
    """
    networks = []
    for offset in range(request.seeds):
        seed = (recipe.seed + offset) % 2**64
        weights = weights_of(recipe.under(seed))
        networks.append(_network(chain, weights, seed, request.batch, input_))
    return [Layer(*map(_mean, zip(*layers, strict=True))) for layers in zip(*networks, strict=True)]


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def examples(
    shape: tuple[int, ...], seed: int, variance: float, correlation: float, pipeline: Pipeline
) -> Values:
    """Return a Gaussian batch drawn from a seed.

    Args:
        shape: (batch, *places, channels).
        seed: The seed.
        variance: Variance of every value.
        correlation: Correlation of any two examples.
        pipeline: Computes the values.
    """
    own = gaussian(seed, _OWN, shape, pipeline)
    if correlation:
        common = gaussian(seed, _COMMON, (1, *shape[1:]), pipeline)
        own = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own
    return math.sqrt(variance) * own


def _network(chain: Chain, weights: Weights, seed: int, batch: int, input_: Pairs) -> list[Layer]:
    shape, pipeline = shape_of(chain, batch), weights.pipeline
    start = examples(shape, seed, chain.variance, input_.correlation, pipeline)
    passed = forward(chain, start, lambda link, values: apply_link(weights, link, values))
    end = gaussian(seed, _END, passed.outputs[-1].shape, pipeline)
    gradients = [_square(g) for g in backward(chain, weights, passed, end)][::-1]
    return list(_layers(chain, passed, gradients))


def _layers(chain: Chain, passed: Pass, gradients: list[float]) -> Iterable[Layer]:
    for end, activation in zip(chain.ends, chain.after, strict=True):
        values = passed.outputs[end]
        square, flat = _square(values), _flat(activation, values)
        yield Layer(
            ln(square),
            ln(gradients[end]) - ln(gradients[-1]),
            float(values.mean()),
            float(values.std()),
            math.sqrt(square),
            math.sqrt(gradients[end]),
            float(flat.all(axis=tuple(range(flat.ndim - 1))).mean()),
            float(flat.mean()),
            _cosine(values),
        )


def _square(values: Values) -> float:
    return float((values * values).mean())


def ln(value: float) -> float:
    """Return the natural logarithm; -inf for zero, NaN for NaN."""
    if value > 0:
        return math.log(value)
    return -math.inf if value == 0 else math.nan


def _flat(activation: Activation, values: Values) -> np.ndarray[tuple[int, ...], np.dtype[np.bool]]:
    return np.abs(activation.at(values).slope) < flat_below(activation)


def _cosine(values: Values) -> float:
    flat = values.reshape(len(values), -1)
    lengths = np.sqrt((flat * flat).sum(axis=1))
    cosines = (flat[1:] * flat[:-1]).sum(axis=1) / (lengths[1:] * lengths[:-1])
    return float(cosines.mean())


class Cost(NamedTuple):
    """The cost of one pass through a chain, forward or backward.

    Args:
        work: Multiplications for each example; an activation counts as several.
        units: Values in memory for each example.
        weights: Values in memory for the largest weight.
        drawing: Cost of generating the weights, in multiplications.
    """

    work: int
    units: int
    weights: int
    drawing: int


def cost_of(chain: Chain) -> Cost:
    """Return the cost of a pass through a chain."""
    layers = chain.layers
    return Cost(
        sum(
            _values(link) * (_ACTIVATION_COST + link.fan_in * link.has_weights)
            for link in chain.links
        ),
        2 * sum(map(_values, chain.links)),
        2 * max(link.outputs * link.fan_in for link in layers),
        sum(link.outputs * link.fan_in * _drawing(link) for link in layers),
    )


def _drawing(link: Link) -> int:
    """Return the cost of drawing one value of a link's weight."""
    regions = link.weight.tensor.source.block_regions if link.weight else ()
    if not any("max_orthogonal_side" in region.law.demands for region in regions):
        return _DRAW_COST
    return 2 * min(link.outputs, link.fan_in)


def _values(link: Link) -> int:
    return link.outputs * _after(link)


def _after(link: Link) -> int:
    return 1 if link.kind == "linear" else math.prod(link.places)


def over_limit(chain: Chain, batch: int, passes: int, limits: Limits) -> tuple[str, str] | None:
    """Return the pointer and the message of a limit that passes exceed; None if they exceed none.

    Args:
        chain: The links.
        batch: Number of examples.
        passes: Number of passes; forward and backward count as two.
        limits: The limits.
    """
    cost = cost_of(chain)
    work = (cost.work * batch + cost.drawing) * passes
    values = cost.units * batch + cost.weights
    if values > (limit := limits.max_analysis_values):
        detail = f"{values} values in memory; the limit (max_analysis_values) is {limit}"
        return "/batch", f"{detail}: use fewer examples"
    if work > (limit := limits.max_analysis_work):
        detail = f"{work} multiplications; the limit (max_analysis_work) is {limit}"
        return "", f"{detail}: use fewer examples, seeds or inits"
    return None
