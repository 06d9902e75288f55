"""Sub-LN (Magneto): a second norm in every branch, and gains that grow with depth.

Source: Wang et al. 2022, "Foundation Transformers", figure 2: https://arxiv.org/abs/2210.06423
    The authors' torchscale multiplies any init, of biases too, and leaves out cross attention, its
    gains and its norm; the paper has them in every branch.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue.model_schemes.deepnorm import with_gain
from service.catalogue.model_schemes.model_scheme import Arranged, layer_norm
from service.catalogue.model_schemes.role import BLOCK, RESIDUAL, StackName, Whole
from service.numerics.exact import root_log

_NORMS = {"out": "inner_attn_ln", "ffn_out": "ffn_layernorm"}


@dataclass(frozen=True, slots=True)
class SubLn:
    """Xavier with a gain of sqrt(ln 2N) on values, outputs and feed-forward layers; more norms."""

    formula: ClassVar[str] = "gain = sqrt(ln(2N)) in one stack of N blocks"
    source: ClassVar[str] = "https://arxiv.org/abs/2210.06423"
    scheme: Literal["sub_ln"] = "sub_ln"

    def arrange(self, whole: Whole) -> Arranged:
        """Return Xavier inits, and a norm before every output projection.

        Raises:
            SchemeError: The model has no blocks of attention or feed-forward layers.
        """
        whole.having(BLOCK, self.scheme)
        gains = {stack: _gain(stack, whole.depths) for stack in whole.depths}
        norms = [
            norm
            for w in whole.weights
            if w.role.name in RESIDUAL
            for norm in layer_norm(w.module + _NORMS[w.role.name], w.fan_in)
        ]
        return Arranged([with_gain(weight, gains) for weight in whole.weights], norms)


def _gain(stack: StackName, depths: dict[StackName, int]) -> float:
    if len(depths) == 1:
        return root_log([2 * depths[stack]])
    if stack == "decoder":
        return root_log([3 * depths[stack]])
    return root_log([3 * depths["decoder"], 2 * depths["encoder"]], over=3)
