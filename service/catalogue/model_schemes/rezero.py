"""ReZero and SkipInit: a scalar that starts at zero keeps every residual block the identity.

Sources:
    Bachlechner et al. 2020, "ReZero is All You Need": https://arxiv.org/abs/2003.04887
    De & Smith 2020, "Batch Normalization Biases Residual Blocks Towards the Identity Function in
    Deep Networks" (SkipInit): https://arxiv.org/abs/2002.10444
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.model_schemes.fixup import NO_BRANCHES
from service.catalogue.model_schemes.model_scheme import Arranged, Extra
from service.catalogue.model_schemes.role import Whole, block_of, module_of
from service.catalogue.schemes import Zeros
from service.errors import SchemeError


@dataclass(frozen=True, slots=True)
class ReZero:
    """Inits unchanged; a ``resweight`` of 0 in every block, which all of its branches share.

    The forward pass computes x + resweight * branch(x), without layer normalization.
    """

    formula: ClassVar[str] = "x + resweight branch(x), resweight = 0"
    source: ClassVar[str] = "https://arxiv.org/abs/2003.04887"
    scheme: Literal["rezero"] = "rezero"

    def arrange(self, whole: Whole) -> Arranged:
        """Return the model's own inits, and a scalar a block.

        Raises:
            SchemeError: The model has no residual branches.
        """
        modules = [block_of(block) for block in whole.blocks]
        return _with_scalars(whole, [f"{module}resweight" for module in modules], (1,), self.scheme)


@dataclass(frozen=True, slots=True)
class SkipInit:
    """Inits unchanged; a ``skipinit_gain`` of 0 at the end of every residual branch.

    The forward pass computes x + skipinit_gain * branch(x), without normalization.
    """

    formula: ClassVar[str] = "x + skipinit_gain branch(x), skipinit_gain = 0"
    source: ClassVar[str] = "https://arxiv.org/abs/2002.10444"
    scheme: Literal["skipinit"] = "skipinit"

    def arrange(self, whole: Whole) -> Arranged:
        """Return the model's own inits, and a scalar a branch.

        Raises:
            SchemeError: The model has no residual branches.
        """
        names = [f"{module_of(branch)}skipinit_gain" for branch in whole.branches]
        return _with_scalars(whole, names, (), self.scheme)


def _with_scalars(whole: Whole, names: list[str], shape: tuple[int, ...], scheme: str) -> Arranged:
    if not names:
        raise SchemeError(NO_BRANCHES.format(scheme=scheme))
    own = [weight.own for weight in whole.weights]
    return Arranged(own, [Extra(name, shape, Zeros()) for name in names])
