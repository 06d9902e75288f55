"""Measurement of a chain on a batch: signals, gradients and units, layer by layer, in float64."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from service.analysis.activation import Activation, Values
from service.analysis.chain import Chain, Link
from service.analysis.expectation import flat_below
from service.analysis.network import Pass, Weights, applied, backward, forward, gaussian, shape_of
from service.analysis.question import Measure, Pairs
from service.limits import Limits
from service.recipe import Recipe
from service.stream.pipeline import Pipeline

_OWN, _COMMON, _END = (f"tensorseed.analysis.{name}" for name in ("own", "common", "gradient"))

_VALUE, _DRAWN = 256, 16
"""Cost of a value passing an activation, and of drawing a weight, in multiplications."""


class Layer(NamedTuple):
    """The measurement at a layer's output.

    Args:
        ln_q: Logarithm of the mean square.
        ln_gradient: Logarithm of the mean squared gradient, relative to the last layer's.
        mean: Mean of the values.
        std: Their standard deviation.
        rms: Their root mean square.
        gradient_rms: The root mean square of the gradient.
        dead: Share of units whose activation is flat at all of their values.
        saturated: Share of values at which the activation is flat.
        correlation: Mean cosine of two examples.
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


def measured(
    chain: Chain,
    recipe: Recipe,
    asked: Measure,
    given: Pairs,
    weights_of: Callable[[Recipe], Weights],
) -> list[Layer]:
    """Return the measurement at each layer, averaged over networks.

    Args:
        chain: The links of the recipe, with all of its tensors.
        recipe: The recipe; the first network has its seed, the next ones the seeds after it.
        asked: Number of examples and networks.
        given: The input.
        weights_of: Computes the weights of a recipe.
    """
    networks = []
    for offset in range(asked.seeds):
        seed = (recipe.seed + offset) % 2**64
        networks.append(_network(chain, weights_of(recipe.under(seed)), seed, asked.batch, given))
    return [Layer(*map(_mean, zip(*layers, strict=True))) for layers in zip(*networks, strict=True)]


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def examples(
    shape: tuple[int, ...], seed: int, variance: float, correlation: float, pipeline: Pipeline
) -> Values:
    """Return a seeded Gaussian batch.

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


def _network(chain: Chain, weights: Weights, seed: int, batch: int, given: Pairs) -> list[Layer]:
    shape, pipeline = shape_of(chain, batch), weights.pipeline
    start = examples(shape, seed, chain.variance, given.correlation, pipeline)
    passed = forward(chain, start, lambda link, values: applied(weights, link, values))
    end = gaussian(seed, _END, passed.left[-1].shape, pipeline)
    gradients = [_square(g) for g in backward(chain, weights, passed, end)][::-1]
    return list(_layers(chain, passed, gradients))


def _layers(chain: Chain, passed: Pass, gradients: list[float]) -> Iterable[Layer]:
    for end, activation in zip(chain.ends, chain.after, strict=True):
        values = passed.left[end]
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
    """Return a logarithm: -inf of zero, NaN of NaN."""
    if value > 0:
        return math.log(value)
    return -math.inf if value == 0 else math.nan


def _flat(activation: Activation, values: Values) -> np.ndarray[tuple[int, ...], np.dtype[np.bool]]:
    return np.abs(activation.at(values).slope) < flat_below(activation)


def _cosine(values: Values) -> float:
    flat = values.reshape(len(values), -1)
    sizes = np.sqrt((flat * flat).sum(axis=1))
    products = (flat[1:] * flat[:-1]).sum(axis=1) / (sizes[1:] * sizes[:-1])
    return float(products.mean())


class Cost(NamedTuple):
    """The cost of one pass through a chain, forward or backward.

    Args:
        work: Multiplications for an example, with activations counted as several.
        units: Values in memory for an example.
        weights: Elements in memory of the largest weight.
        drawing: Cost of generating the weights, in multiplications.
    """

    work: int
    units: int
    weights: int
    drawing: int


def cost_of(chain: Chain) -> Cost:
    """Return the cost of an example."""
    layers = chain.layers
    return Cost(
        sum(_values(link) * (_VALUE + link.fan_in * link.has_weights) for link in chain.links),
        2 * sum(map(_values, chain.links)),
        2 * max(link.outputs * link.fan_in for link in layers),
        sum(link.outputs * link.fan_in * _drawing(link) for link in layers),
    )


def _drawing(link: Link) -> int:
    """Return the cost of drawing one of a link's weights."""
    regions = link.weight.tensor.source.block_regions if link.weight else ()
    if not any("max_orthogonal_side" in region.law.demands for region in regions):
        return _DRAWN
    return 2 * min(link.outputs, link.fan_in)


def _values(link: Link) -> int:
    return link.outputs * _after(link)


def _after(link: Link) -> int:
    return 1 if link.kind == "linear" else math.prod(link.places)


def excess(chain: Chain, batch: int, ways: int, limits: Limits) -> tuple[str, str] | None:
    """Return the member of a request that exceeds a limit, and why; None if none does.

    Args:
        chain: The links.
        batch: Number of examples.
        ways: Number of passes, forward and backward.
        limits: The limits.
    """
    cost = cost_of(chain)
    work = (cost.work * batch + cost.drawing) * ways
    held = cost.units * batch + cost.weights
    if held > limits.max_analysis_values:
        most = limits.max_analysis_values
        said = f"{held} values at once; the limit (max_analysis_values) is {most}"
        return "/batch", f"{said}: send fewer examples"
    if work > limits.max_analysis_work:
        most = limits.max_analysis_work
        said = f"{work} multiplications; the limit (max_analysis_work) is {most}"
        return "", f"{said}: ask for fewer examples, seeds or inits"
    return None
