"""Theory: signals and gradients in infinitely wide layers, and how finite layers deviate.

A layer with weights of variance v maps signals of variance q to fan_in v E[phi^2] + E[b^2], and
multiplies the mean square of gradients by fan_out v E[phi'^2] in the backward pass. With zero
padding the positions at the edges of an image have fewer inputs. Variances of images are therefore
maps, and layers sum over windows of them.

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
from service.analysis.window import sum_over_fan_in, sum_over_fan_out

_NONE = Joint(0.0, 0.0)


@dataclass(frozen=True)
class Estimate:
    """A mean square in a chain of infinitely wide layers, and how it varies in finite ones.

    Args:
        square: The mean square: a map over an image's positions, or a scalar.
        log_variance: Variance of its logarithm, because layers have finitely many units.
        log_shift: Mean deviation of its logarithm, for the same reason.
    """

    square: Values
    log_variance: float = 0.0
    log_shift: float = 0.0

    @property
    def mean(self) -> float:
        """The mean square, averaged over positions."""
        return float(self.square.mean())


@dataclass(frozen=True, kw_only=True)
class Signal(Estimate):
    """A signal. Its mean square is its variance q.

    Args:
        correlation: Correlation of two examples.
        distant: Correlation of two positions of an image that have no inputs in common.
        growth: Growth of a deviation of ln q, since the beginning of the chain or of the branch.
    """

    correlation: float
    distant: float = 0.0
    growth: float = 1.0

    def shared(self, link: Link) -> float:
        """Return the share of the variance that a norm removes by subtracting the mean."""
        if link.type == "batch_norm":
            return self.distant if link.places else self.correlation
        return self.distant if link.type == "instance_norm" and link.places else 0.0


class Passage(NamedTuple):
    """A link and its input.

    Args:
        link: The link.
        signal: The signal before the link's activation.
        squares: Second moments of that activation at each position.
        moments: Its moments at the variance averaged over positions.
        pair: Averages over two examples; zeros for a norm.
        apart: Averages over two distant positions; zeros without a kernel.
    """

    link: Link
    signal: Signal
    squares: Squares
    moments: Moments
    pair: Joint
    apart: Joint

    @property
    def gain(self) -> float:
        """fan_in v; the edges of images are ignored."""
        return self.link.fan_in * self.link.weight_square

    @property
    def after(self) -> float:
        """The variance after the link; the edges of images are ignored."""
        return self.gain * self.moments.square + self.link.bias_square

    @property
    def chi(self) -> float:
        """fan_in v E[phi'^2], the growth of small differences."""
        return self.gain * float(self.squares.slope.mean())

    @property
    def chi_c(self) -> float:
        """The same at the examples' correlation, for the change of the correlation."""
        return self.gain * self.pair.slope_product


@dataclass(frozen=True, kw_only=True)
class Gradient(Estimate):
    """A gradient, relative to the gradient at the end of the chain.

    Args:
        strain: What deviations of the signal may add to the standard deviation of the logarithm.
    """

    strain: float = 0.0


class Theory(NamedTuple):
    """The theory of a chain, with an entry for each link, in order.

    Args:
        passages: The link and its input.
        signals: The link's output, or the stream after the output was added to it.
        gradients: The gradient at the same place as the signal.
    """

    passages: list[Passage]
    signals: list[Signal]
    gradients: list[Gradient]


def theory_of(chain: Chain, correlation: float) -> Theory:
    """Return the theory of a chain.

    Args:
        chain: The links.
        correlation: Correlation of any two examples of the input.
    """
    passages: list[Passage] = []
    signals: list[Signal] = []
    signal = stream = Signal(
        np.full(chain.links[0].places, chain.variance), correlation=correlation
    )
    for link in chain.links:
        if link.opens:
            stream = signal
            signal = replace(signal, growth=1.0, log_variance=0.0, log_shift=0.0)
        passage = _passage(link, signal)
        signal = _summed(passage) if link.has_weights else _normalized(link, signal)
        if link.closes:
            signal = _added(stream, signal, chain.scale * chain.scale, link.outputs)
        passages.append(passage)
        signals.append(signal)
    return Theory(passages, signals, _gradients(chain, passages, signal))


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
    # The second derivative of ln(a + b), given the growth and bend of ln a.
    bend = share * (moment.bend + moment.growth * moment.growth) - growth * growth
    noise = _variance_of_squares(moment.kurtosis) / link.inputs
    return Signal(
        link.weight_square * sum_over_fan_in(link, passage.squares.value) + link.bias_square,
        growth * growth * signal.log_variance + noise,
        growth * signal.log_shift + (bend * signal.log_variance - noise) / 2,
        correlation=_correlated(passage, passage.pair),
        distant=_correlated(passage, passage.apart),
        growth=signal.growth * growth,
    )


def _correlated(passage: Passage, pair: Joint) -> float:
    """Return the correlation after a layer from averages before it; ignores the edges of images."""
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
        (1 - kept) ** 2 * signal.log_variance,
        correlation=correlated(signal.correlation),
        distant=correlated(signal.distant),
        growth=(1 - kept) * signal.growth,
    )


def _divisor(link: Link, signal: Signal) -> Values:
    """Return the square of a norm's divisor at each position."""
    is_own = link.type in POINTWISE_NORMS
    own = signal.square if is_own else np.full(signal.square.shape, signal.mean)
    return (1 - signal.shared(link)) * own + EPSILON


def _ratio(part: float, whole: float, otherwise: float = 0.0) -> float:
    return part / whole if whole else otherwise


def _variance_of_squares(kurtosis: float, factor: float = 1.0) -> float:
    """Return the relative variance of one unit's square."""
    return max(0.0, factor * kurtosis - 1)


def _added(stream: Signal, branch: Signal, scale: float, units: int) -> Signal:
    """Return a stream after a branch was added to it.

    Args:
        stream: The stream.
        branch: The output of the branch.
        scale: Factor of the branch's variance.
        units: Number of units of the stream.
    """
    q = stream.square + scale * branch.square
    own = _ratio(stream.mean, float(q.mean()), 1.0)
    share = 1 - own
    kept = own + share * branch.growth
    # The deviation of the branch, and the random product of stream and branch.
    noise = share * share * branch.log_variance + 4 * own * share / units
    return Signal(
        q,
        kept * kept * stream.log_variance + noise,
        kept * stream.log_shift + share * (branch.log_shift + branch.log_variance / 2) - noise / 2,
        correlation=own * stream.correlation + share * branch.correlation,
        distant=own * stream.distant + share * branch.distant,
        growth=kept * stream.growth,
    )


def _gradients(chain: Chain, passages: list[Passage], end: Signal) -> list[Gradient]:
    """Return the gradient at each link's output, in order; it is 1 at the end of the chain."""
    gradients: list[Gradient] = []
    gradient = stream = Gradient(np.ones(end.square.shape))
    for passage in reversed(passages):
        gradients.append(gradient)
        if passage.link.closes:
            stream, gradient = gradient, Gradient(chain.scale * chain.scale * gradient.square)
        gradient = _gradient_before(passage, gradient)
        if passage.link.opens:
            gradient = _joined(stream, gradient, passage.link.inputs)
    return gradients[::-1]


def _gradient_before(passage: Passage, after: Gradient) -> Gradient:
    """Return the gradient before a link and its activation."""
    link, signal, moment = passage.link, passage.signal, passage.moments
    if not link.has_weights:
        square = after.square * link.weight_square / _divisor(link, signal)
        return replace(after, square=square)
    noise = _variance_of_squares(moment.slope_kurtosis, 3.0) / link.inputs
    bend = moment.slope_growth
    return Gradient(
        link.weight_square * sum_over_fan_out(link, after.square) * passage.squares.slope,
        after.log_variance + noise,
        after.log_shift + bend * signal.log_shift - noise / 2,
        strain=after.strain + abs(bend) * math.sqrt(signal.log_variance),
    )


def _joined(stream: Gradient, branch: Gradient, units: int) -> Gradient:
    """Return the gradient where a branch begins: the sum of the stream's and the branch's."""
    square = stream.square + branch.square
    share = _ratio(branch.mean, float(square.mean()))
    noise = share * share * branch.log_variance + 4 * share * (1 - share) / units
    return Gradient(
        square,
        stream.log_variance + noise,
        stream.log_shift + share * (branch.log_shift + branch.log_variance / 2) - noise / 2,
        strain=stream.strain + share * branch.strain,
    )
