"""The truncated normal law with a given standard deviation and given bounds.

Frameworks disagree on what the bounds mean: Keras and JAX count standard deviations, torch, timm
and Flux mean values. ``bounds_in`` says which.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from service.catalogue import distributions
from service.catalogue.schemes.scheme import NotNegative, Number, require_order
from service.errors import SchemeError
from service.numerics.exact import truncated_std
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class TruncatedNormal:
    """Normal cut to an interval: no value outside it, no rejection.

    Args:
        std: Standard deviation before the cut, not negative.
        mean: Mean before the cut.
        bounds: Lower and upper bound.
        bounds_in: ``sigma``: standard deviations from the mean. ``absolute``: the values themselves
            (torch's ``trunc_normal_``).
        correct_variance: Widen the law so that ``std`` is its standard deviation after the cut
            (Keras, JAX); for bounds in sigma only.

    >>> TruncatedNormal(std=0.02).resolve(Geometry((10,))).extremes
    (-0.04, 0.04)
    """

    formula: ClassVar[str] = "w ~ N(mean, std^2) given bounds[0] <= w <= bounds[1]"
    source: ClassVar[str] = "https://docs.jax.dev/en/latest/jax.nn.initializers.html"
    std: NotNegative
    mean: Number = 0.0
    bounds: Annotated[tuple[Number, Number], Field(strict=False)] = (-2.0, 2.0)
    bounds_in: Literal["sigma", "absolute"] = "sigma"
    correct_variance: bool = False
    scheme: Literal["truncated_normal"] = "truncated_normal"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a tensor.

        Raises:
            SchemeError: The bounds are no interval, hold too few words, or are corrected while
                absolute.
            LawOverflow: The law overflows float64.
        """
        low, high = self.bounds
        require_order(low, high)
        law = distributions.TruncatedNormal
        if not self.correct_variance:
            cut = law.in_sigma if self.bounds_in == "sigma" else law.between
            return cut(self.mean, self.std, low, high)
        if self.bounds_in == "absolute":
            raise SchemeError(
                'correct_variance needs bounds_in "sigma": widening the law under absolute bounds'
                " would move them"
            )
        law.in_sigma(self.mean, self.std, low, high)  # refuses bounds that hold too few words
        return law.in_sigma(self.mean, self.std / truncated_std(low, high), low, high)
