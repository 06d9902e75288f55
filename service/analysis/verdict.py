"""Verdicts: what the curves of a chain mean, in words, and which usual scheme suits it.

A network starts to train if signals and gradients change by less than about six depth scales, a
factor of e^6, over its depth.

Source: Schoenholz et al. 2017, section 6: https://arxiv.org/abs/1611.01232
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from service.analysis.chain import Chain
from service.catalogue.layers.defaults import TORCH
from service.catalogue.schemes import AnyScheme, Critical, Kaiming, LeCun, Xavier, Zeros

_TRAINABLE = 6.0
"""Largest change of ln q, or of ln gradient^2, in a network that trains: a factor of e^6."""

_KEPT = math.log(10)
"""Change of ln q, or of ln gradient^2, below which a verdict says that the size is kept."""

_ALIKE = 0.9999
"""Correlation above which the last layer cannot tell two examples apart."""


class Usual(NamedTuple):
    """A commonly used scheme.

    Args:
        label: Its label in the response.
        init: The init of the weights.
        bias_init: The init of the biases.
    """

    label: str
    init: AnyScheme
    bias_init: AnyScheme


def usual(chain: Chain) -> list[Usual]:
    """Return the usual schemes for a chain, including those for its most frequent activation."""
    activation = Counter(chain.after).most_common(1)[0][0]
    zeros = Zeros()
    schemes = [
        Usual("xavier_normal", Xavier(distribution="normal"), zeros),
        Usual("kaiming_normal", Kaiming(distribution="normal"), zeros),
        Usual("lecun_normal", LeCun(distribution="normal"), zeros),
        Usual("PyTorch's default", TORCH, TORCH),
    ]
    if activation.name in ("tanh", "selu"):
        gained = Xavier(gain=activation.name, distribution="normal")
        schemes.append(Usual(f"xavier_normal, gain {activation.name}", gained, zeros))
    if activation.name == "leaky_relu":
        slope = activation.below or 0.0
        leaky = Kaiming(nonlinearity="leaky_relu", negative_slope=slope, distribution="normal")
        schemes.insert(0, Usual(f"kaiming_normal, slope {slope:g}", leaky, zeros))
    if activation.name in ("gelu", "silu"):
        weights = Critical(nonlinearity=activation.name)
        biases = Critical(nonlinearity=activation.name, bias=True)
        schemes.append(Usual(f"critical, {activation.name}", weights, biases))
    return schemes


class Change(NamedTuple):
    """How a chain changes signals and gradients.

    Args:
        signal: Change of ln q, from the first layer to the last.
        gradient: Change of ln gradient^2, from the last layer to the first.
        spread: Largest difference of ln q, or of ln gradient^2, between any two layers; inf if one
            is not finite.
        alike: Whether any two examples give the same output.
    """

    signal: float
    gradient: float
    spread: float
    alike: bool

    @property
    def trains(self) -> bool:
        """Whether a network with these curves starts to train."""
        return self.spread <= _TRAINABLE and not self.alike


def change_of(theory: Mapping[str, Any], on_stream: Sequence[bool]) -> Change:
    """Return how a chain changes signals and gradients.

    Args:
        theory: The chain's curves, from `curves.theory_curves`.
        on_stream: For each layer, whether it is on the residual stream; other layers do not count.
    """
    ln_q, ln_gradient = (
        [value for value, counts in zip(theory[name], on_stream, strict=True) if counts]
        for name in ("ln_q", "ln_gradient")
    )
    values = [*ln_q, *ln_gradient]
    spread = max(max(ln_q) - min(ln_q), max(ln_gradient) - min(ln_gradient))
    return Change(
        _change(ln_q[0], ln_q[-1]),
        _change(ln_gradient[-1], ln_gradient[0]),
        spread if all(map(math.isfinite, values)) else math.inf,
        theory["correlation"][-1] > _ALIKE,
    )


def _change(first: float, last: float) -> float:
    if math.isnan(last):
        return math.inf  # infinity times zero, or minus infinity
    if math.isinf(last):
        return last
    return last - first if math.isfinite(first) else 0.0


def verdict(change: Change, depth: int, best: tuple[str, Change]) -> str:
    """Return what a chain does to signals and gradients, and which scheme would do better.

    Args:
        change: How the chain changes signals and gradients.
        depth: Number of layers with weights.
        best: The label of the best usual scheme, and its change.
    """
    layers = f"over {depth} layers" if depth > 1 else "in its only layer"
    summary = _summary(change, layers)
    if change.trains:
        return f"{summary}: this network starts to train."
    name, best_change = best
    if best_change.trains:
        return f"{summary}: this network does not start to train. {name} keeps them."
    if best_change.spread >= change.spread:
        return (
            f"{summary}: this network does not start to train, and no usual scheme does better at"
            " this depth. Use fewer layers, a normalization, residual branches or another"
            " activation."
        )
    return (
        f"{summary}: this network does not start to train. {name} is the best of the usual schemes."
        f" With it, {_summary(best_change, layers).lower()}."
    )


def _summary(change: Change, layers: str) -> str:
    signal, gradient = _in_words(change.signal), _in_words(change.gradient)
    if not signal and not gradient:
        kept = f"Signals and gradients keep their size {layers}"
        return f"{kept}, but any two inputs give the same output" if change.alike else kept
    parts = []
    if signal:
        parts.append(f"the variance of signals {signal}")
    if gradient:
        parts.append(f"the gradients' mean square {gradient}")
    text = " and ".join(parts) + f" {layers}"
    return text[0].upper() + text[1:]


def _in_words(change: float) -> str:
    """Return a change in words; an empty string for a change by less than a factor of ten."""
    if abs(change) < _KEPT:
        return ""
    if math.isinf(change):
        return "falls to zero" if change < 0 else "overflows"
    return f"{'grows' if change > 0 else 'shrinks'} by 10^{abs(change) / math.log(10):.1f}"
