"""Real functions of a plan against mpmath with many more digits."""

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.numerics.exact import truncated_std


def truth(low: float, high: float) -> float:
    with mpmath.workdps(120):
        a, b = mpmath.mpf(low), mpmath.mpf(high)
        mass = mpmath.ncdf(b) - mpmath.ncdf(a)
        fa, fb = mpmath.npdf(a), mpmath.npdf(b)
        return float(mpmath.sqrt(1 + (a * fa - b * fb) / mass - ((fa - fb) / mass) ** 2))


@given(st.floats(-6, 6), st.floats(0.01, 6))
def test_truncated_std_is_not_the_nearest_float64(low: float, width: float) -> None:
    assert truncated_std(low, low + width) == truth(low, low + width)


@pytest.mark.parametrize("bounds", [(-2, 2), (-3, 3), (0, 2), (-1e9, 1e9), (-1e300, 0.5), (3, 1e5)])
def test_truncated_std_fails_at_usual_or_far_bounds(bounds: tuple[float, float]) -> None:
    near = (max(bounds[0], -60), min(bounds[1], 60))
    assert truncated_std(*map(float, bounds)) == truth(*near)
