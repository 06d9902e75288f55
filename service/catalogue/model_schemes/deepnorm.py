"""DeepNorm: residual streams scaled up and branches scaled down, so that updates stay bounded.

Source: Wang et al. 2022, "DeepNet: Scaling Transformers to 1,000 Layers", figure 2:
    https://arxiv.org/abs/2203.00555
    The authors' torchscale multiplies any init, of biases too, and in the encoder of an
    encoder-decoder model by 1.15 (N^4 M)^(-1/16); the paper has 0.87, which is 1/1.15.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from service.catalogue.model_schemes.model_scheme import Arranged
from service.catalogue.model_schemes.role import BLOCK, SCALED, Placed, StackName, Whole
from service.catalogue.schemes import Scheme, Xavier
from service.numerics.exact import power


@dataclass(frozen=True, slots=True)
class DeepNorm:
    """Xavier with gain beta on values, outputs and feed-forward layers, 1 on queries and keys.

    The forward pass computes LayerNorm(alpha x + branch(x)).

    Args:
        rule: ``paper``, or ``code``: the encoder of an encoder-decoder model has 1.15 for 0.87.
    """

    formula: ClassVar[str] = "gain = (8N)^(-1/4), alpha = (2N)^(1/4) in one stack of N blocks"
    source: ClassVar[str] = "https://arxiv.org/abs/2203.00555"
    rule: Literal["paper", "code"] = "paper"
    scheme: Literal["deepnorm"] = "deepnorm"

    def arrange(self, whole: Whole) -> Arranged:
        """Return Xavier inits, and alpha, of each stack where there are two.

        Raises:
            SchemeError: The model has no blocks of attention or feed-forward layers.
        """
        whole.having(BLOCK, self.scheme)
        gains: dict[StackName, float] = {}
        alphas: dict[str, float] = {}
        for stack in whole.depths:
            alphas[stack], gains[stack] = self._constants(stack, whole.depths)
        inits = [with_gain(weight, gains) for weight in whole.weights]
        if len(alphas) == 1:
            return Arranged(inits, forward={"alpha": next(iter(alphas.values()))})
        return Arranged(inits, forward={f"alpha_{stack}": alpha for stack, alpha in alphas.items()})

    def _constants(self, stack: StackName, depths: dict[StackName, int]) -> tuple[float, float]:
        """Return alpha and beta of a stack."""
        quarter, sixteenth = Fraction(1, 4), Fraction(1, 16)
        if len(depths) == 1:
            return power(2 * depths[stack], quarter), power(8 * depths[stack], -quarter)
        if stack == "decoder":
            return power(3 * depths[stack], quarter), power(12 * depths[stack], -quarter)
        product = depths["encoder"] ** 4 * depths["decoder"]
        shrinking = Fraction("0.87" if self.rule == "paper" else "1.15")
        return (
            power(product, sixteenth, Fraction("0.81")),
            power(product, -sixteenth, shrinking),
        )


def with_gain(weight: Placed, gains: dict[StackName, float]) -> Scheme:
    """Return Xavier normal with the stack's gain, or 1 on queries and keys; others their own."""
    name, _, stack, *_ = weight.role
    if name not in BLOCK:
        return weight.own
    return Xavier(gain=gains[stack] if name in SCALED else 1.0, distribution="normal")
