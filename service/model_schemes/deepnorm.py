"""DeepNorm: residual streams scaled up and branches scaled down, so that updates stay bounded.

Source: Wang et al. 2022, "DeepNet: Scaling Transformers to 1,000 Layers", figure 2:
    https://arxiv.org/abs/2203.00555
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from service.model_schemes.model_scheme import Extra
from service.model_schemes.role import Placed, Whole
from service.numerics.exact import power
from service.schemes import Scheme, Xavier

_SCALED = {"value", "out", "ffn_in", "ffn_out"}
_PLAIN = {"query", "key"}


@dataclass(frozen=True, slots=True)
class DeepNorm:
    """Xavier with gain beta on values, output projections and feed-forward layers, 1 on the rest.

    The forward pass computes LayerNorm(alpha x + branch(x)).
    """

    formula: ClassVar[str] = "beta = (8N)^(-1/4), alpha = (2N)^(1/4) in one stack of N blocks"
    source: ClassVar[str] = "https://arxiv.org/abs/2203.00555"
    scheme: Literal["deepnorm"] = "deepnorm"

    def init(self, weight: Placed, own: Scheme, whole: Whole) -> Scheme:
        """Return a weight's init."""
        if weight.role.name in _PLAIN:
            return Xavier(distribution="normal")
        if weight.role.name in _SCALED:
            _, beta = self._constants(weight.role.stack, whole)
            return Xavier(gain=beta, distribution="normal")
        return own

    def extras(self, whole: Whole) -> Sequence[Extra]:
        """Return nothing: it adds constants, no tensors."""
        return ()

    def forward(self, whole: Whole) -> dict[str, float]:
        """Return alpha, of each stack where there are two."""
        if not whole.is_encoder_decoder:
            stack: Literal["encoder", "decoder"] = "encoder" if whole.encoder else "decoder"
            return {"alpha": self._constants(stack, whole)[0]}
        return {
            "alpha_encoder": self._constants("encoder", whole)[0],
            "alpha_decoder": self._constants("decoder", whole)[0],
        }

    @staticmethod
    def _constants(stack: Literal["encoder", "decoder"], whole: Whole) -> tuple[float, float]:
        """Return alpha and beta of a stack."""
        quarter, n, m = Fraction(1, 4), whole.encoder, whole.decoder
        if not whole.is_encoder_decoder:
            return power(2 * whole.blocks, quarter), power(8 * whole.blocks, -quarter)
        if stack == "decoder":
            return power(3 * m, quarter), power(12 * m, -quarter)
        sixteenth = Fraction(1, 16)
        return (
            power(n**4 * m, sixteenth, Fraction("0.81")),
            power(n**4 * m, -sixteenth, Fraction("0.87")),
        )
