"""Curves: theory and measurement as numbers for each layer, for programs and charts."""

import math
from collections.abc import Sequence
from typing import Any

from service.analysis.chain import Chain
from service.analysis.expectation import saturated
from service.analysis.measure import Layer, ln
from service.analysis.theory import Theory

_SIGMAS = 2.0
"""Standard deviations between a curve and the edges of its band."""

_STEADY = 1.25
"""Growth of an early deviation above which a single network may differ from the theory."""

Curves = dict[str, Any]
"""Lists of numbers, one for each layer with weights, and statements about all layers."""


def theory_curves(chain: Chain, theory: Theory) -> Curves:
    """Return the curves of the theory; some numbers may not be finite.

    Args:
        chain: The links.
        theory: The theory of the links.
    """
    ends, layers = chain.ends, chain.layers
    signals = [theory.signals[end] for end in ends]
    gradients = [theory.gradients[end] for end in ends]
    passages = [passage for passage in theory.passages if passage.link.has_weights]
    # The layer itself has finitely many units, too, besides the deviation of its input.
    spreads = [
        math.sqrt(s.spread + 2 / link.outputs) for s, link in zip(signals, layers, strict=True)
    ]
    strains = [
        math.sqrt(g.spread + 2 / link.outputs) + g.strain
        for g, link in zip(gradients, layers, strict=True)
    ]
    ln_q = [ln(signal.mean) for signal in signals]
    ln_gradient = [ln(gradient.mean) for gradient in gradients]
    steady = all(abs(signal.growth) < _STEADY for signal in signals)
    return {
        "ln_q": ln_q,
        **_band("ln_q", ln_q, [s.shift for s in signals], spreads),
        "ln_gradient": ln_gradient,
        **_band("ln_gradient", ln_gradient, [g.shift for g in gradients], strains),
        "correlation": [signal.correlation for signal in signals],
        "chi": [passage.chi for passage in passages],
        "chi_c": [passage.chi_c for passage in passages],
        "saturated": [saturated(a, s.mean) for a, s in zip(chain.after, signals, strict=True)],
        "depth_scale": depth_scale(passages[-1].chi),
        "reliable": steady and all(link.is_centred for link in layers),
    }


def measured_curves(layers: Sequence[Layer]) -> Curves:
    """Return the measured curves; some numbers may not be finite."""
    return {
        name: list(values)
        for name, values in zip(Layer._fields, zip(*layers, strict=True), strict=True)
    }


def written(curves: Curves) -> Curves:
    """Return curves for JSON: None for numbers that are not finite."""
    return {
        name: [_finite(each) for each in value] if isinstance(value, list) else value
        for name, value in curves.items()
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def depth_scale(chi: float) -> float | None:
    """Return after how many layers a gradient has changed by a factor of e; None for never."""
    rate = abs(math.log(chi)) if chi > 0 else math.inf
    return 1 / rate if rate > 1e-12 else None


def _band(
    name: str, middle: Sequence[float], shifts: Sequence[float], spreads: Sequence[float]
) -> Curves:
    rows = list(zip(middle, shifts, spreads, strict=True))
    return {
        f"{name}_low": [m + shift - _SIGMAS * s for m, shift, s in rows],
        f"{name}_high": [m + shift + _SIGMAS * s for m, shift, s in rows],
    }
