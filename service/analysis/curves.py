"""Curves: theory and measurement as lists with one number for each layer with weights."""

import math
from collections.abc import Sequence
from typing import Any

from service.analysis.chain import Chain
from service.analysis.expectation import saturated
from service.analysis.measure import Layer, ln
from service.analysis.theory import Theory

_SIGMAS = 2.0
"""Half the width of a band around a curve, in standard deviations."""

_MAX_GROWTH = 1.25
"""Growth of an early deviation above which a single network may differ from the theory."""

Curves = dict[str, Any]
"""Lists with one number for each layer with weights, and single values for the whole chain."""


def theory_curves(chain: Chain, theory: Theory) -> Curves:
    """Return the theoretical curves; some numbers may not be finite.

    Args:
        chain: The links.
        theory: The chain's theory.
    """
    ends, layers = chain.ends, chain.layers
    signals = [theory.signals[end] for end in ends]
    gradients = [theory.gradients[end] for end in ends]
    passages = [passage for passage in theory.passages if passage.link.has_weights]
    # The mean over the layer's own units varies too: 2 / units is the variance of its logarithm.
    signal_stds = [
        math.sqrt(s.log_variance + 2 / link.outputs)
        for s, link in zip(signals, layers, strict=True)
    ]
    gradient_stds = [
        math.sqrt(g.log_variance + 2 / link.outputs) + g.strain
        for g, link in zip(gradients, layers, strict=True)
    ]
    ln_q = [ln(signal.mean) for signal in signals]
    ln_gradient = [ln(gradient.mean) for gradient in gradients]
    steady = all(abs(signal.growth) < _MAX_GROWTH for signal in signals)
    return {
        "ln_q": ln_q,
        **_band("ln_q", ln_q, [s.log_shift for s in signals], signal_stds),
        "ln_gradient": ln_gradient,
        **_band("ln_gradient", ln_gradient, [g.log_shift for g in gradients], gradient_stds),
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


def for_json(curves: Curves) -> Curves:
    """Return curves with None instead of numbers that are not finite, which JSON lacks."""
    return {
        name: [_finite(each) for each in value] if isinstance(value, list) else value
        for name, value in curves.items()
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def depth_scale(chi: float) -> float | None:
    """Return the number of layers that change a gradient by a factor of e; None if it is kept."""
    rate = abs(math.log(chi)) if chi > 0 else math.inf
    return 1 / rate if rate > 1e-12 else None


def _band(
    name: str, middle: Sequence[float], shifts: Sequence[float], stds: Sequence[float]
) -> Curves:
    rows = list(zip(middle, shifts, stds, strict=True))
    return {
        f"{name}_low": [m + shift - _SIGMAS * std for m, shift, std in rows],
        f"{name}_high": [m + shift + _SIGMAS * std for m, shift, std in rows],
    }
