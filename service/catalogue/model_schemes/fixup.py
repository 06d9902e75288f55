"""Fixup: residual networks that train without normalization, because every branch starts at zero.

Source: Zhang, Dauphin & Ma 2019, "Fixup Initialization", section 3:
    https://arxiv.org/abs/1901.09321
    "A standard method (e.g., He)" is the one of the authors' code, by fan out. Weights outside
    branches keep their own init, as in their code, where the first convolution keeps torch's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from service.catalogue.model_schemes.model_scheme import Arranged, Extra
from service.catalogue.model_schemes.role import Branch, Placed, Whole, module_of
from service.catalogue.schemes import Ones, Scheme, VarianceScaling, Zeros
from service.errors import SchemeError, truncate
from service.numerics.exact import power


@dataclass(frozen=True, slots=True)
class Fixup:
    """Kaiming normal shrunk by the number of branches; the last layer of each and the head zero.

    Args:
        mode: The fan that divides Kaiming's variance.
    """

    formula: ClassVar[str] = "std = sqrt(2 / fan) L^(-1/(2m-2)) in L branches of m layers; last 0"
    source: ClassVar[str] = "https://arxiv.org/abs/1901.09321"
    mode: Literal["fan_out", "fan_in"] = "fan_out"
    scheme: Literal["fixup"] = "fixup"

    def arrange(self, whole: Whole) -> Arranged:
        """Return the inits of branches and head, scalar biases and multipliers.

        Raises:
            SchemeError: The model has no residual branches, or one that lacks a layer.
        """
        count = len(whole.branches)
        if not count:
            raise SchemeError(NO_BRANCHES.format(scheme=self.scheme))
        _require_whole(whole.branches)
        lengths = {weight.role.of for weight in whole.weights}
        scales = {m: power(count, Fraction(-1, m - 1), 2) for m in lengths if m > 1}
        heads = whole.layers.get("head", set())

        def init(weight: Placed) -> Scheme:
            role = weight.role
            if weight.layer in heads or (role.of and role.place == role.of):
                return Zeros()
            if role.of:
                return VarianceScaling(scales[role.of], self.mode, "normal")
            return weight.own

        return Arranged([init(weight) for weight in whole.weights], list(_scalars(whole)))


NO_BRANCHES = (
    "{scheme} needs residual branches, and there are none: take a model of blocks, or layers"
    " that declare role and depth, and branch where their role does not imply it"
)


def _require_whole(branches: list[Branch]) -> None:
    for branch in branches:
        found, of = len({weight.role.place for weight in branch}), branch[-1].role.of
        if found != of:
            raise SchemeError(
                f"{truncate(branch[-1].name)} ends a residual branch of {of} layers, and {found} of"
                " them are there: state each before it, with its branch"
            )


def _scalars(whole: Whole) -> Iterator[Extra]:
    """Yield a bias before and after every layer of a branch, and its multiplier."""
    for name, neighbour in (("bias1", "input"), ("bias2", "head")):
        if neighbour in whole.layers:
            yield Extra(name, (1,), Zeros())
    for branch in whole.branches:
        module = module_of(branch)
        for place in range(1, branch[-1].role.of + 1):
            yield Extra(f"{module}bias{place}a", (1,), Zeros())
            yield Extra(f"{module}bias{place}b", (1,), Zeros())
        yield Extra(f"{module}scale", (1,), Ones())
