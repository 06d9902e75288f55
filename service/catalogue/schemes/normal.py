"""The normal law with a given standard deviation.

Frameworks disagree on a default one (torch 1, Keras 0.05, JAX 0.01), so there is none.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue import distributions
from service.catalogue.schemes.scheme import NotNegative, Number
from service.numerics.fans import Geometry


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal with the given mean and standard deviation, whatever the tensor's fans.

    Args:
        std: Standard deviation, not negative.
        mean: Mean.

    >>> Normal(std=0.02).resolve(Geometry((10,)))
    Normal(mean=0.0, std=0.02)
    """

    formula: ClassVar[str] = "w ~ N(mean, std^2)"
    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/nn.init.html"
    std: NotNegative
    mean: Number = 0.0
    scheme: Literal["normal"] = "normal"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a tensor.

        Raises:
            LawOverflow: The law overflows float64.
        """
        return distributions.Normal(self.mean, self.std)
