"""Laws: from a tensor's words and positions to float64 values. One law a file, and this table."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal, Protocol

from service.catalogue.distributions.bilinear import Bilinear
from service.catalogue.distributions.chrono import Chrono
from service.catalogue.distributions.constant import Constant
from service.catalogue.distributions.delta import Delta
from service.catalogue.distributions.hadamard import Hadamard
from service.catalogue.distributions.normal import Normal
from service.catalogue.distributions.orthogonal import Orthogonal
from service.catalogue.distributions.sinusoidal import Sinusoidal
from service.catalogue.distributions.sparse import Sparse
from service.catalogue.distributions.truncated_normal import TruncatedNormal
from service.catalogue.distributions.uniform import Uniform
from service.catalogue.distributions.unit_ball import UnitBall
from service.catalogue.distributions.window import Window
from service.numerics.array import Array
from service.numerics.draws import Draws


class Distribution(Protocol):
    """A law with every parameter resolved; making one checks that its values fit float64."""

    name: ClassVar[str]

    @property
    def demands(self) -> Mapping[str, int]:
        """What it needs more than its own elements, by the limit that caps it; mostly nothing."""

    @property
    def parameters(self) -> tuple[float, ...]:
        """What, with the name, the stream and the positions, decides every value."""

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation, to four digits at least, for people to read."""

    @property
    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest value before the cast."""

    def sample(self, draws: Draws) -> Array:
        """Return float64 values, shape (draws.count,)."""


DISTRIBUTIONS: dict[str, type[Distribution]] = {
    law.name: law
    for law in (
        Bilinear,
        Chrono,
        Constant,
        Delta,
        Hadamard,
        Normal,
        Orthogonal,
        Sinusoidal,
        Sparse,
        TruncatedNormal,
        Uniform,
        UnitBall,
        Window,
    )
}
"""Every law by the name that plans and digests show."""

CentredName = Literal["uniform", "normal", "truncated_normal"]

CENTRED: dict[CentredName, Callable[[float], Distribution]] = {
    "uniform": Uniform.of_variance,
    "normal": Normal.of_variance,
    "truncated_normal": TruncatedNormal.of_variance,
}
"""Zero-mean laws by name: each maps a variance to the law that has exactly it."""

__all__ = [
    "CENTRED",
    "DISTRIBUTIONS",
    "Bilinear",
    "CentredName",
    "Chrono",
    "Constant",
    "Delta",
    "Distribution",
    "Hadamard",
    "Normal",
    "Orthogonal",
    "Sinusoidal",
    "Sparse",
    "TruncatedNormal",
    "Uniform",
    "UnitBall",
    "Window",
]
