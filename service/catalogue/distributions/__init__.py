"""Distributions: from random words and positions to float64 values. One a file, and this table."""

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
    """A distribution with all parameters resolved, a law; its values are checked to fit float64."""

    name: ClassVar[str]

    @property
    def demands(self) -> Mapping[str, int]:
        """Work beyond one draw an element, by the limit that caps it; empty for most."""

    @property
    def parameters(self) -> tuple[float, ...]:
        """The numbers that, with name, random stream and positions, determine every value."""

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation, to at least four digits, for people to read."""

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
"""Every law by its name in plans and digests."""

CentredName = Literal["uniform", "normal", "truncated_normal"]

CENTRED: dict[CentredName, Callable[[float], Distribution]] = {
    "uniform": Uniform.of_variance,
    "normal": Normal.of_variance,
    "truncated_normal": TruncatedNormal.of_variance,
}
"""Zero-mean laws by name: each maps a variance to the law of exactly this variance."""

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
