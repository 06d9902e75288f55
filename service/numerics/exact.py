"""Real functions for plans: each result is the float64 nearest to the exact value.

libm differs between platforms and is sometimes off by an ulp. So these are computed with more
digits than float64 has, and rounded once. Python's ``decimal`` is the same everywhere.

Source: docs/generator-v1.md, "Plan arithmetic".
"""

from array import array
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

_DIGITS = 60
# A context of its own: the caller's may trap, or round differently.
_EXACT = Context(_DIGITS, ROUND_HALF_EVEN)
_PI = Decimal(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534"
)
# The mass beyond 20 sigma is below 10^-88, less than this precision.
_FAR = 20


def power(base: int | Fraction, exponent: Fraction, times: Fraction | int = 1) -> float:
    """Return the float64 nearest to times * base^exponent.

    Args:
        base: Positive.
        exponent: Its exponent.
        times: An exact factor.

    >>> power(16, Fraction(1, 4)), power(4, Fraction(-1, 2), Fraction(1, 2))
    (2.0, 0.25)
    """
    with localcontext(_EXACT):
        return float(_decimal(times) * _decimal(base) ** _decimal(exponent))


def _decimal(number: int | Fraction) -> Decimal:
    exact = Fraction(number)
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def _density(x: Decimal) -> Decimal:
    return (-x * x / 2).exp() / (2 * _PI).sqrt()


def _mass_below(x: Decimal) -> Decimal:
    """P(0 < Z < x): density(x) * sum over k of x^(2k+1) / (1 * 3 * 5 ... (2k+1)), all one sign."""
    term = total = x
    odd = 1
    while abs(term) > abs(total) * Decimal(10) ** -_DIGITS:
        odd += 2
        term *= x * x / odd
        total += term
    return total * _density(x)


@lru_cache(maxsize=4096)
def truncated_std(low: float, high: float) -> float:
    """Return the standard deviation of a standard normal cut to [low, high].

    Args:
        low: Lower bound in sigma.
        high: Upper bound in sigma, above ``low``.

    Returns:
        The float64 nearest to sqrt(1 + (low f(low) - high f(high))/Z - ((f(low) - f(high))/Z)^2),
        where f is the normal density and Z the mass between the bounds.

    Source:
        Johnson, Kotz & Balakrishnan 1994, "Continuous univariate distributions" 1, section 10.1.

    >>> truncated_std(-2.0, 2.0)
    0.8796256610342398
    """
    with localcontext(_EXACT):
        a, b = (Decimal(max(-_FAR, min(_FAR, x))) for x in (low, high))
        mass = _mass_below(b) - _mass_below(a)
        fa, fb = _density(a), _density(b)
        return float((1 + (a * fa - b * fb) / mass - ((fa - fb) / mass) ** 2).sqrt())


def log_uniform(words: Iterable[int], t_max: float) -> list[float]:
    """Return the float64 nearest to ln(1 + (t_max - 2) (2 word + 1) / 2^33) of each word."""
    with localcontext(_EXACT):
        step = (Decimal(t_max) - 2) / 2**33
        return [float((1 + step * (2 * word + 1)).ln()) for word in words]


_BITS = 192
"""Fractional bits of the fixed-point numbers of `waves`."""


def waves(rows: int, half: int, max_timescale: float) -> "array[float]":
    """Return sin(p w_i), then cos(p w_i), of every position p, as one row-major table.

    Args:
        rows: Positions, from 0.
        half: Frequencies w_i = max_timescale^(-i / (half - 1)).
        max_timescale: Positive.

    Returns:
        float64, rows * 2 * half: each the nearest to the real number. By the angle sum formulas in
        fixed point, whose error stays below 2^-160.
    """
    table = array("d", bytes(16 * rows * half))
    one, width = 1 << _BITS, 2 * half
    for column in range(half):
        step_sin, step_cos = _wave_step(column, half, max_timescale)
        sine, cosine = 0, one
        for place in range(column, rows * width, width):
            table[place], table[place + half] = sine / one, cosine / one
            sine, cosine = (
                (sine * step_cos + cosine * step_sin) >> _BITS,
                (cosine * step_cos - sine * step_sin) >> _BITS,
            )
    return table


def _wave_step(column: int, half: int, max_timescale: float) -> tuple[int, int]:
    """Return sine and cosine of one step of a frequency, in fixed point."""
    with localcontext(Context(_DIGITS + 10, ROUND_HALF_EVEN)):
        exponent = Decimal(-column) / Decimal(half - 1) if column else Decimal(0)
        angle = (Decimal(max_timescale).ln() * exponent).exp()
        scale = Decimal(2) ** _BITS
        return int(_series(angle, 1) * scale), int(_series(angle, 0) * scale)


def _series(angle: Decimal, odd: int) -> Decimal:
    """Return the sine of an angle at most 1, or its cosine where ``odd`` is 0, by Taylor."""
    term = total = angle**odd if odd else Decimal(1)
    order = odd
    while abs(term) > Decimal(10) ** -(_DIGITS + 8):
        term *= -angle * angle / ((order + 1) * (order + 2))
        order += 2
        total += term
    return total


def root_log(numbers: Iterable[int], over: int = 1) -> float:
    """Return the float64 nearest to the square root of a product of logarithms.

    Args:
        numbers: Each at least 1; their natural logarithms are multiplied.
        over: Divides the product.

    >>> root_log([2]), root_log([6, 6], 4) * 2 == root_log([6, 6])
    (0.8325546111576978, True)
    """
    with localcontext(_EXACT):
        product = Decimal(1)
        for number in numbers:
            product *= Decimal(number).ln()
        return float((product / over).sqrt())
