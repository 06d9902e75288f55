"""muP: hyperparameters tuned on a narrow model hold for a wide one.

Source: Yang et al. 2022, "Tensor Programs V", table 8: https://arxiv.org/abs/2203.03466
    The authors' package mup does the same: a tensor's std is the base model's, hidden matrices'
    times width_mult^(-1/2); the head's inputs are divided by width_mult; attention divides by the
    width of a head, not by its root. Adam's learning rate of hidden matrices is divided too.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, MinLen

from service.catalogue.model_schemes.model_scheme import Arranged
from service.catalogue.model_schemes.role import Placed, RoleName, Whole
from service.catalogue.schemes import (
    Kaiming,
    LeCun,
    Normal,
    Scheme,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
    Xavier,
    Zeros,
)
from service.errors import SchemeError
from service.numerics.exact import power
from service.numerics.fans import FanMode

_HALF = Fraction(1, 2)
_READERS: frozenset[RoleName] = frozenset({"embedding", "position", "head"})
"""Roles of which only fan_in is a width, in torch's layout of tables."""
_NOT_HIDDEN: frozenset[RoleName] = _READERS | {"input", "vector"}


@dataclass(frozen=True, slots=True)
class Mup:
    """Hidden matrices' std divided by sqrt(width_mult), the rest as in the narrow base model.

    Args:
        base: Fields in which the narrow model's config differs, as ``{"hidden_size": 256}``.
        width_mult: For layers: their width divided by the base's.
        readout: The head's init: ``multiplier``, the base model's; ``zero``. The forward pass
            multiplies the head's inputs in either case.
    """

    formula: ClassVar[str] = "std = std_base / sqrt(fan_in / fan_in_base) of hidden matrices"
    source: ClassVar[str] = "https://arxiv.org/abs/2203.03466"
    base: Annotated[dict[str, Any], MinLen(1)] | None = None
    width_mult: Annotated[float, Ge(1e-6), Le(1e6)] | None = None
    readout: Literal["multiplier", "zero"] = "multiplier"
    scheme: Literal["mup"] = "mup"

    def arrange(self, whole: Whole) -> Arranged:
        """Return inits of the base's scale, and the multipliers of the forward pass.

        Raises:
            SchemeError: Not one of ``base`` and ``width_mult``, or a zero readout without a head.
        """
        if (self.base is None) == (self.width_mult is None):
            raise SchemeError(
                "mup takes either base, what the narrow model's config has otherwise, or, for"
                " layers, width_mult"
            )
        heads = whole.layers.get("head", set()) if self.readout == "zero" else set()
        if self.readout == "zero" and not heads:
            raise SchemeError(
                'no head to make zero: it is tied or there is none; take readout "multiplier"'
            )
        inits = [Zeros() if w.layer in heads else self._init(w, whole) for w in whole.weights]
        return Arranged(inits, forward=self._forward(whole))

    def _init(self, weight: Placed, whole: Whole) -> Scheme:
        stated = weight.base.own if weight.base else weight.own
        if not weight.fan_in or not weight.fan_out:
            return stated
        base = self._base_fans(weight, whole)
        is_hidden = weight.role.name not in _NOT_HIDDEN
        shrinking = base[0] / weight.fan_in if is_hidden else Fraction(1)
        scaling = _by_fan(weight.own)
        if scaling is None:
            return _shrunk(stated, shrinking)
        # The fan's effect on the variance is undone, and only fan_in shrinks it.
        fans = Fraction(weight.fan_in), Fraction(weight.fan_out)
        squared = _squared(scaling.mode, fans) / _squared(scaling.mode, base) * shrinking**2
        if squared == 1:
            return weight.own
        return replace(scaling, scale=_times(scaling.scale, squared))

    def _base_fans(self, weight: Placed, whole: Whole) -> tuple[Fraction, Fraction]:
        """Return the fans in the base model."""
        if weight.base is not None:
            return Fraction(weight.base.fan_in), Fraction(weight.base.fan_out)
        wider, same = Fraction(self.width_mult or 1), Fraction(1)
        # A bias's fan_in is its layer's.
        reads = weight.layer not in whole.layers.get("input", ())
        writes = weight.role.name not in _READERS
        return (
            weight.fan_in / (wider if reads else same),
            weight.fan_out / (wider if writes else same),
        )

    def _forward(self, whole: Whole) -> dict[str, float]:
        heads = [w for w in whole.weights if w.role.name == "head"]
        # A tied head is the table of embeddings.
        readers = heads or [w for w in whole.weights if w.role.name == "embedding"]
        readout = {float(self._base_fans(w, whole)[0] / w.fan_in) for w in readers if w.fan_in}
        widths = {
            (Fraction(w.base.fan_in, w.base.role.heads), Fraction(w.fan_in, w.role.heads))
            for w in whole.weights
            if w.base and w.base.role.heads and w.role.heads
        }
        attention = {power(base, _HALF, 1 / width) for base, width in widths}
        found = {"readout_multiplier": readout, "attention_multiplier": attention}
        for name, values in found.items():
            if len(values) > 1:
                several = ", ".join(map(str, sorted(values)))
                raise SchemeError(f"no one {name} serves a model whose parts need {several}")
        return {name: values.pop() for name, values in found.items() if values}


def _shrunk(own: Scheme, shrinking: Fraction) -> Scheme:
    """Return a scheme of fixed numbers with its values times the root of ``shrinking``."""
    match own:
        case Uniform():
            return replace(own, low=_times(own.low, shrinking), high=_times(own.high, shrinking))
        case TruncatedNormal(bounds_in="absolute", bounds=(low, high)):
            own = replace(own, bounds=(_times(low, shrinking), _times(high, shrinking)))
    if isinstance(own, Normal | TruncatedNormal):
        return replace(own, mean=_times(own.mean, shrinking), std=_times(own.std, shrinking))
    return own


@lru_cache
def _times(number: float, square: Fraction) -> float:
    """Return a number times the root of ``square``, rounded once."""
    return power(square, _HALF, Fraction(number))


def _by_fan(own: Scheme) -> VarianceScaling | None:
    """Return a scheme with a fan as the general variance scaling."""
    match own:
        case VarianceScaling():
            return own
        case Xavier():
            return VarianceScaling(own.gain_squared, "fan_avg", own.distribution)
        case Kaiming():
            return VarianceScaling(own.gain_squared, own.mode, own.distribution)
        case LeCun():
            return VarianceScaling(1.0, "fan_in", own.distribution)
    return None


def _squared(mode: FanMode, fans: tuple[Fraction, Fraction]) -> Fraction:
    """Return the square of a fan, which is rational even for a geometric mean."""
    match mode:
        case "fan_in":
            return fans[0] ** 2
        case "fan_out":
            return fans[1] ** 2
        case "fan_avg":
            return ((fans[0] + fans[1]) / 2) ** 2
        case "fan_geo_avg":
            return fans[0] * fans[1]
