"""Small inits of large language models, by the width of the residual stream.

Sources:
    Nguyen & Salazar 2019, "Transformers without Tears", section 2.2 (SmallInit):
    https://arxiv.org/abs/1910.05895
    Wang & Komatsuzaki 2021, GPT-J, in EleutherAI's GPT-NeoX (wang_init):
    https://github.com/EleutherAI/gpt-neox/blob/main/megatron/model/init_functions.py
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from service.catalogue.model_schemes.model_scheme import Arranged
from service.catalogue.model_schemes.role import RESIDUAL, Whole
from service.catalogue.schemes import Normal, Scheme
from service.numerics.exact import power

_HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class SmallInit:
    """Normal of std sqrt(2 / (5d)) for all matrices and tables."""

    formula: ClassVar[str] = "std = sqrt(2 / (5d))"
    source: ClassVar[str] = "https://arxiv.org/abs/1910.05895"
    scheme: Literal["small_init"] = "small_init"

    def arrange(self, whole: Whole) -> Arranged:
        """Return normal inits.

        Raises:
            SchemeError: The width of the residual stream is unknown.
        """
        return Arranged(_small(whole, self.scheme))


@dataclass(frozen=True, slots=True)
class WangInit:
    """Normal of std 2 / (N sqrt(d)) for output projections, small_init's for the rest."""

    formula: ClassVar[str] = "std = 2 / (N sqrt(d)) for outputs of N blocks' branches"
    source: ClassVar[str] = (
        "https://github.com/EleutherAI/gpt-neox/blob/main/megatron/model/init_functions.py"
    )
    scheme: Literal["wang_init"] = "wang_init"

    def arrange(self, whole: Whole) -> Arranged:
        """Return normal inits.

        Raises:
            SchemeError: The model has no output projections in blocks, or several widths.
        """
        whole.having(RESIDUAL, self.scheme)
        width = whole.width(self.scheme)
        outputs = {
            stack: Normal(std=power(width, -_HALF, Fraction(2, blocks)))
            for stack, blocks in whole.depths.items()
        }
        small = _small(whole, self.scheme)
        return Arranged(
            [
                outputs[w.role.stack] if w.role.name in RESIDUAL else init
                for w, init in zip(whole.weights, small, strict=True)
            ]
        )


def _small(whole: Whole, scheme: str) -> list[Scheme]:
    init = Normal(std=power(Fraction(2, 5 * whole.width(scheme)), _HALF))
    return [init if weight.is_matrix else weight.own for weight in whole.weights]
