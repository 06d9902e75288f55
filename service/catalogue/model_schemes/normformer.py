"""NormFormer: more norms and a scale for each head, so that gradients of all layers are similar.

Source: Shleifer, Weston & Ott 2021, "NormFormer", section 2: https://arxiv.org/abs/2110.09456
    The paper scales heads before the output projection, the authors' fairseq after it. As in
    fairseq, the tensors belong to the block, and cross attention has none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.model_schemes.model_scheme import Arranged, Extra, layer_norm
from service.catalogue.model_schemes.role import RESIDUAL, Branch, Placed, Whole, block_of
from service.catalogue.schemes import Ones
from service.errors import SchemeError, truncate


@dataclass(frozen=True, slots=True)
class NormFormer:
    """Inits unchanged; norms after attention and inside feed-forward layers, head scales of 1."""

    formula: ClassVar[str] = "attn_ln(W_o [c_attn_i head_i]), W_2 ffn_layernorm(f(W_1 x))"
    source: ClassVar[str] = "https://arxiv.org/abs/2110.09456"
    scheme: Literal["normformer"] = "normformer"

    def arrange(self, whole: Whole) -> Arranged:
        """Return the model's own inits, and norms and head scales.

        Raises:
            SchemeError: The model has no attention or feed-forward layers in blocks, or does not
                say how many heads there are.
        """
        whole.having(RESIDUAL, self.scheme)
        extras = [extra for block in whole.blocks for extra in _extras(block)]
        return Arranged([weight.own for weight in whole.weights], extras)


def _extras(block: list[Branch]) -> Iterator[Extra]:
    ends: dict[str, Placed] = {}
    for branch in block:
        ends.setdefault(branch[-1].role.name, branch[-1])  # self attention comes before cross
    module = block_of(block)
    if "out" in ends:
        out = ends["out"]
        if not out.role.heads:
            raise SchemeError(
                f"normformer needs the number of attention heads, and {truncate(out.name)} does not"
                " say it: take a model"
            )
        yield Extra(f"{module}c_attn", (out.role.heads,), Ones())
        yield from layer_norm(f"{module}attn_ln", out.fan_out)
    if "ffn_out" in ends:
        yield from layer_norm(f"{module}ffn_layernorm", ends["ffn_out"].fan_in)
