"""Theory: what infinitely wide layers do to signals and gradients, and how far finite ones vary.

A layer with weights of variance v maps signals of variance q to fan_in v E[phi^2] + E[b^2], and
multiplies the mean square of gradients by fan_out v E[phi'^2] in the backward pass. With zero
padding the edges of an image have fewer inputs, so variances are maps, and layers sum over windows.

Sources:
    Poole et al. 2016: https://arxiv.org/abs/1606.05340
    Schoenholz et al. 2017 (chi, depth scales): https://arxiv.org/abs/1611.01232
    Hanin & Rolnick 2018 (fluctuations grow as depth over width): https://arxiv.org/abs/1803.01719
    Yang & Schoenholz 2017 (residual networks): https://arxiv.org/abs/1712.08969
    Yang et al. 2019 (gradients under batch normalization): https://arxiv.org/abs/1902.08129
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from service.analysis.activation import Values
from service.analysis.chain import EPSILON, POINTWISE_NORMS, Chain, Link
from service.analysis.expectation import Joint, Moments, Squares, joint, moments, squares
from service.analysis.window import spread_back, summed

_NONE = Joint(0.0, 0.0)


@dataclass(frozen=True)
class Estimate:
    """A mean square in a chain: of infinitely wide layers, and the variation of others.

    Args:
        square: A map over an image's positions, or a scalar.
        spread: Variance of its logarithm, added by finitely many units.
        shift: Mean of that logarithm's deviation.
    """

    square: Values
    spread: float = 0.0
    shift: float = 0.0

    @property
    def mean(self) -> float:
        """The mean square, averaged over positions."""
        return float(self.square.mean())


@dataclass(frozen=True, kw_only=True)
class Signal(Estimate):
    """A signal; its mean square is q, its variance.

    Args:
        correlation: Correlation of two examples.
        distant: Correlation of two positions of images without common inputs.
        growth: Growth of ln q's deviation since the beginning, or since the branch began.
    """

    correlation: float
    distant: float = 0.0
    growth: float = 1.0

    def shared(self, link: Link) -> float:
        """Return the share of the variance that a norm removes with the mean."""
        if link.type == "batch_norm":
            return self.distant if link.places else self.correlation
        return self.distant if link.type == "instance_norm" and link.places else 0.0


class Passage(NamedTuple):
    """A link and its input.

    Args:
        link: The link.
        signal: The signal before the link's activation.
        found: Second moments of that activation, position by position.
        moments: Its moments at the variance averaged over positions.
        pair: Averages over two examples; zeros for a norm.
        apart: Averages over two distant positions; zeros if there are none.
    """

    link: Link
    signal: Signal
    found: Squares
    moments: Moments
    pair: Joint
    apart: Joint

    @property
    def gain(self) -> float:
        """fan_in v, without edges."""
        return self.link.fan_in * self.link.weight_square

    @property
    def after(self) -> float:
        """The variance after the link, without edges."""
        return self.gain * self.moments.square + self.link.bias_square

    @property
    def chi(self) -> float:
        """fan_in v E[phi'^2]: how small differences grow."""
        return self.gain * float(self.found.slope.mean())

    @property
    def chi_c(self) -> float:
        """The same at the examples' correlation: how the correlation changes."""
        return self.gain * self.pair.slope_product


@dataclass(frozen=True, kw_only=True)
class Gradient(Estimate):
    """A gradient, relative to the end.

    Args:
        strain: What the signal's deviations may add to ``spread``, as a standard deviation.
    """

    strain: float = 0.0


class Theory(NamedTuple):
    """The theory of a chain: an entry for each link, in order.

    Args:
        passages: The link and its input.
        signals: Its output, or the stream that the output was added to.
        gradients: The gradient at the same position.
    """

    passages: list[Passage]
    signals: list[Signal]
    gradients: list[Gradient]


def theory_of(chain: Chain, correlation: float) -> Theory:
    """Return the theory of a chain.

    Args:
        chain: The links.
        correlation: Correlation of two examples in the input.
    """
    passages: list[Passage] = []
    signals: list[Signal] = []
    signal = stream = Signal(
        np.full(chain.links[0].places, chain.variance), correlation=correlation
    )
    for link in chain.links:
        if link.opens:
            stream = signal
            signal = replace(signal, growth=1.0, spread=0.0, shift=0.0)
        passage = _passage(link, signal)
        signal = _summed(passage) if link.has_weights else _normalized(link, signal)
        if link.closes:
            signal = _added(stream, signal, chain.scale * chain.scale, link.outputs)
        passages.append(passage)
        signals.append(signal)
    return Theory(passages, signals, _back(chain, passages, signal))


def _passage(link: Link, signal: Signal) -> Passage:
    phi, q = link.before, signal.mean
    return Passage(
        link,
        signal,
        squares(phi, signal.square),
        moments(phi, q),
        joint(phi, q, signal.correlation) if link.has_weights else _NONE,
        joint(phi, q, signal.distant) if link.window else _NONE,
    )


def _summed(passage: Passage) -> Signal:
    """Return the signal after a layer."""
    link, signal, moment = passage.link, passage.signal, passage.moments
    share = _ratio(passage.gain * moment.square, passage.after)
    growth = share * moment.growth
    # The bend of ln(a + b), given the growth and bend of ln a.
    bend = share * (moment.bend + moment.growth * moment.growth) - growth * growth
    noise = _excess(moment.kurtosis) / link.inputs
    return Signal(
        link.weight_square * summed(link, passage.found.value) + link.bias_square,
        growth * growth * signal.spread + noise,
        growth * signal.shift + (bend * signal.spread - noise) / 2,
        correlation=_correlated(passage, passage.pair),
        distant=_correlated(passage, passage.apart),
        growth=signal.growth * growth,
    )


def _correlated(passage: Passage, pair: Joint) -> float:
    """Return the correlation after a layer, without edges, from averages before it."""
    covariance = passage.gain * pair.product + passage.link.bias_square
    return min(1.0, _ratio(covariance, passage.after, 1.0))


def _normalized(link: Link, signal: Signal) -> Signal:
    """Return the signal after a norm."""
    shared = signal.shared(link)
    rest = signal.mean * (1 - shared)
    kept = _ratio(rest, rest + EPSILON)
    own, biases = link.weight_square * kept, link.bias_square

    def correlated(before: float) -> float:
        return min(1.0, _ratio(own * _ratio(before - shared, 1 - shared) + biases, own + biases))

    return Signal(
        link.weight_square * (1 - shared) * signal.square / _divisor(link, signal) + biases,
        (1 - kept) ** 2 * signal.spread,
        correlation=correlated(signal.correlation),
        distant=correlated(signal.distant),
        growth=(1 - kept) * signal.growth,
    )


def _divisor(link: Link, signal: Signal) -> Values:
    """Return the square of a norm's divisor, position by position."""
    is_own = link.type in POINTWISE_NORMS
    own = signal.square if is_own else np.full(signal.square.shape, signal.mean)
    return (1 - signal.shared(link)) * own + EPSILON


def _ratio(part: float, whole: float, otherwise: float = 0.0) -> float:
    return part / whole if whole else otherwise


def _excess(kurtosis: float, times: float = 1.0) -> float:
    """Return the relative variance of squares, from one unit."""
    return max(0.0, times * kurtosis - 1)


def _added(stream: Signal, branch: Signal, scale: float, units: int) -> Signal:
    """Return a stream with a branch added, ``scale`` times its variance."""
    q = stream.square + scale * branch.square
    own = _ratio(stream.mean, float(q.mean()), 1.0)
    share = 1 - own
    kept = own + share * branch.growth
    # The deviation of the stream, and what its product with the branch adds by chance.
    noise = share * share * branch.spread + 4 * own * share / units
    return Signal(
        q,
        kept * kept * stream.spread + noise,
        kept * stream.shift + share * (branch.shift + branch.spread / 2) - noise / 2,
        correlation=own * stream.correlation + share * branch.correlation,
        distant=own * stream.distant + share * branch.distant,
        growth=kept * stream.growth,
    )


def _back(chain: Chain, passages: list[Passage], end: Signal) -> list[Gradient]:
    """Return the gradients from the end, where they are 1, to the first link's output."""
    found: list[Gradient] = []
    gradient = stream = Gradient(np.ones(end.square.shape))
    for passage in reversed(passages):
        found.append(gradient)
        if passage.link.closes:
            stream, gradient = gradient, Gradient(chain.scale * chain.scale * gradient.square)
        gradient = _before(passage, gradient)
        if passage.link.opens:
            gradient = _joined(stream, gradient, passage.link.inputs)
    return found[::-1]


def _before(passage: Passage, after: Gradient) -> Gradient:
    """Return the gradient before a link and its activation."""
    link, signal, moment = passage.link, passage.signal, passage.moments
    if not link.has_weights:
        square = after.square * link.weight_square / _divisor(link, signal)
        return replace(after, square=square)
    noise = _excess(moment.slope_kurtosis, 3.0) / link.inputs
    bend = moment.slope_growth
    return Gradient(
        link.weight_square * spread_back(link, after.square) * passage.found.slope,
        after.spread + noise,
        after.shift + bend * signal.shift - noise / 2,
        strain=after.strain + abs(bend) * math.sqrt(signal.spread),
    )


def _joined(stream: Gradient, branch: Gradient, units: int) -> Gradient:
    """Return the gradient where a branch begins: the stream's and the branch's together."""
    square = stream.square + branch.square
    share = _ratio(branch.mean, float(square.mean()))
    noise = share * share * branch.spread + 4 * share * (1 - share) / units
    return Gradient(
        square,
        stream.spread + noise,
        stream.shift + share * (branch.shift + branch.spread / 2) - noise / 2,
        strain=stream.strain + share * branch.strain,
    )
