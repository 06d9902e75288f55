"""What infinitely wide layers do to signals and gradients, and how far finite ones stray.

A layer of weights of variance v turns signals of variance q into fan_in v E[phi^2] + E[b^2], and
gradients, on the way back, into fan_out v E[phi'^2] times theirs. Under zero padding the edges of
an image have fewer inputs, so variances are maps, and layers sums over windows of them.

Sources:
    Poole et al. 2016: https://arxiv.org/abs/1606.05340
    Schoenholz et al. 2017 (chi, depth scales): https://arxiv.org/abs/1611.01232
    Hanin & Rolnick 2018 (fluctuations grow as depth over width): https://arxiv.org/abs/1803.01719
    Yang & Schoenholz 2017 (residual networks): https://arxiv.org/abs/1712.08969
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from service.analysis.activation import Values
from service.analysis.chain import Chain, Link
from service.analysis.expectation import Joint, Moments, joint, moments
from service.analysis.window import spread_back, summed

_STEP = 1e-3
"""Of ln q, for derivatives: errors are some 10^-7 of them."""


@dataclass(frozen=True)
class Signal:
    """What is known of a signal at one place of a chain.

    Args:
        q: Variance, a map over an image's places, or a scalar.
        correlation: Of two examples.
        growth: Of ln q's deviation since the beginning, or since the branch began.
        spread: Variance of ln q that finitely many units have added since.
        shift: Mean of ln q's deviation.
    """

    q: Values
    correlation: float
    growth: float = 1.0
    spread: float = 0.0
    shift: float = 0.0

    @property
    def mean(self) -> float:
        """The variance, averaged over places."""
        return float(self.q.mean())


class Passage(NamedTuple):
    """A link and what entered it.

    Args:
        link: The link.
        signal: Before the activation that is before the link.
        found: That activation's moments there.
        pair: Averages over two examples; none for a norm.
    """

    link: Link
    signal: Signal
    found: Moments
    pair: Joint | None

    @property
    def chi(self) -> float:
        """fan_in v E[phi'^2]: how small differences grow."""
        return self.link.fan_in * self.link.weight_square * float(self.found.slope_square.mean())

    @property
    def chi_c(self) -> float:
        """The same at the examples' correlation: how that changes."""
        product = self.pair.slope_product if self.pair else 0.0
        return self.link.fan_in * self.link.weight_square * product


@dataclass(frozen=True)
class Gradient:
    """What is known of the gradient at one place of a chain, relative to the end.

    Args:
        square: Mean square of a component, a map over an image's places, or a scalar.
        spread: Variance of its logarithm that finitely many units have added.
        strain: What the signal's own deviations may add to that, as a standard deviation.
        shift: Mean of the logarithm's deviation.
    """

    square: Values
    spread: float = 0.0
    strain: float = 0.0
    shift: float = 0.0

    @property
    def mean(self) -> float:
        """The mean square, averaged over places."""
        return float(self.square.mean())


class Theory(NamedTuple):
    """A chain in theory: an entry for each link, in order.

    Args:
        passages: What entered it.
        signals: What left it, or the stream that it was added to.
        gradients: At the same place.
    """

    passages: list[Passage]
    signals: list[Signal]
    gradients: list[Gradient]


def theory_of(chain: Chain, correlation: float) -> Theory:
    """Return the theory of a chain.

    Args:
        chain: The links.
        correlation: Of two examples that enter.
    """
    passages: list[Passage] = []
    signals: list[Signal] = []
    signal = stream = Signal(np.full(chain.links[0].places, chain.variance), correlation)
    for link in chain.links:
        if link.opens:
            stream, signal = signal, Signal(signal.q, signal.correlation)
        passage = _passage(link, signal)
        signal = _through(passage)
        if link.closes:
            signal = _added(stream, signal, chain.scale**2, link.outputs)
        passages.append(passage)
        signals.append(signal)
    return Theory(passages, signals, _back(chain, passages, signal))


def _passage(link: Link, signal: Signal) -> Passage:
    pair = None
    if link.has_weights:
        pair = joint(link.before, signal.mean, signal.correlation)
    return Passage(link, signal, moments(link.before, signal.q), pair)


def _through(passage: Passage) -> Signal:
    """Return the signal after a link."""
    link, signal, found = passage.link, passage.signal, passage.found
    if not link.has_weights:
        q = np.full(signal.q.shape, link.weight_square + link.bias_square)
        correlation = 0.0 if link.type == "batch_norm" else signal.correlation
        return Signal(q, correlation, growth=0.0)
    growth, bend = _sensitivity(link, signal.mean)
    noise = _excess(found.fourth, found.square) / link.inputs
    return Signal(
        link.weight_square * summed(link, found.square) + link.bias_square,
        _correlated(passage),
        signal.growth * growth,
        growth**2 * signal.spread + noise,
        growth * signal.shift + (bend * signal.spread - noise) / 2,
    )


def _next(link: Link, q: float) -> float:
    """Return the variance after a link, edges apart."""
    square = float(moments(link.before, np.array(q)).square)
    return link.fan_in * link.weight_square * square + link.bias_square


def _correlated(passage: Passage) -> float:
    """Return the correlation of two examples after a link, edges apart."""
    link, signal, pair = passage.link, passage.signal, passage.pair
    if pair is None:
        return signal.correlation
    covariance = link.fan_in * link.weight_square * pair.product + link.bias_square
    variance = _next(link, signal.mean)
    return min(1.0, covariance / variance) if variance else 1.0


def _sensitivity(link: Link, q: float) -> tuple[float, float]:
    """Return the first and second derivative of ln q after a link by ln q before it."""
    below, here, above = (_next(link, q * math.exp(step)) for step in (-_STEP, 0.0, _STEP))
    if not below:
        return 0.0, 0.0
    low, high = math.log(here / below), math.log(above / here)
    return (low + high) / (2 * _STEP), (high - low) / _STEP**2


def _excess(fourth: Values, square: Values, times: float = 1.0) -> float:
    """Return the relative variance of what has these moments, from one unit."""
    mean = float(square.mean())
    return times * float(fourth.mean()) / mean**2 - 1 if mean else 0.0


def _added(stream: Signal, branch: Signal, scale: float, units: int) -> Signal:
    """Return a stream with a branch added, ``scale`` times its variance."""
    q = stream.q + scale * branch.q
    own = stream.mean / float(q.mean()) if q.mean() else 1.0
    share = 1 - own
    kept = own + share * branch.growth
    # What was in the stream, and what its product with the branch adds by chance.
    noise = share**2 * branch.spread + 4 * own * share / units
    return Signal(
        q,
        own * stream.correlation + share * branch.correlation,
        kept * stream.growth,
        kept**2 * stream.spread + noise,
        kept * stream.shift + share * (branch.shift + branch.spread / 2) - noise / 2,
    )


def _back(chain: Chain, passages: list[Passage], end: Signal) -> list[Gradient]:
    """Return the gradients from the end, where they are 1, to the first link's output."""
    found: list[Gradient] = []
    gradient = stream = Gradient(np.ones(end.q.shape))
    for passage in reversed(passages):
        found.append(gradient)
        if passage.link.closes:
            stream, gradient = gradient, Gradient(chain.scale**2 * gradient.square)
        gradient = _before(passage, gradient)
        if passage.link.opens:
            gradient = _joined(stream, gradient, passage.link.inputs)
    return found[::-1]


def _before(passage: Passage, after: Gradient) -> Gradient:
    """Return the gradient before a link and its activation."""
    link, signal, moment = passage.link, passage.signal, passage.found
    if not link.has_weights:
        size = link.weight_square / signal.mean if signal.mean else 0.0
        return replace(after, square=after.square * size)
    noise = _excess(moment.slope_fourth, moment.slope_square, 3.0) / link.inputs
    bend = _bend(link, signal.mean)
    square = link.weight_square * spread_back(link, after.square) * moment.slope_square
    return Gradient(
        square,
        after.spread + noise,
        after.strain + abs(bend) * math.sqrt(signal.spread),
        after.shift + bend * signal.shift - noise / 2,
    )


def _bend(link: Link, q: float) -> float:
    """Return the derivative of ln E[phi'^2] by ln q."""
    low, high = (
        float(moments(link.before, np.array(q * math.exp(step))).slope_square)
        for step in (-_STEP, _STEP)
    )
    return math.log(high / low) / (2 * _STEP) if low and high else 0.0


def _joined(stream: Gradient, branch: Gradient, units: int) -> Gradient:
    """Return the gradient where a branch begins: the stream's and the branch's together."""
    square = stream.square + branch.square
    share = branch.mean / float(square.mean()) if square.mean() else 0.0
    noise = share**2 * branch.spread + 4 * share * (1 - share) / units
    return Gradient(
        square,
        stream.spread + noise,
        stream.strain + share * branch.strain,
        stream.shift + share * (branch.shift + branch.spread / 2) - noise / 2,
    )
