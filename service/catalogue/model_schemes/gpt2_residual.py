"""GPT-2's rule: one std everywhere, and a smaller one for outputs added to the residual stream.

Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3:
    https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
    Megatron-LM has the same (``scaled_init_method_normal``).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

from service.catalogue.model_schemes.model_scheme import Arranged
from service.catalogue.model_schemes.role import RESIDUAL, Placed, Whole
from service.catalogue.schemes import Normal, Scheme
from service.catalogue.schemes.scheme import Positive
from service.numerics.exact import power


@dataclass(frozen=True, slots=True)
class Gpt2Residual:
    """Normal of one std for matrices and tables; output projections divided by sqrt(2N).

    Args:
        std: Standard deviation of all matrices and tables that do not end a branch.
    """

    formula: ClassVar[str] = "std, and std / sqrt(2N) for outputs of N blocks' branches"
    source: ClassVar[str] = (
        "https://cdn.openai.com/better-language-models/"
        "language_models_are_unsupervised_multitask_learners.pdf"
    )
    std: Positive = 0.02
    scheme: Literal["gpt2_residual"] = "gpt2_residual"

    def arrange(self, whole: Whole) -> Arranged:
        """Return normal inits.

        Raises:
            SchemeError: The model has no output projections in blocks.
        """
        whole.having(RESIDUAL, self.scheme)
        wide = Normal(std=self.std)
        narrow = {
            stack: Normal(std=power(2 * blocks, Fraction(-1, 2), Fraction(self.std)))
            for stack, blocks in whole.depths.items()
        }

        def init(weight: Placed) -> Scheme:
            if not weight.is_matrix:
                return weight.own
            return narrow[weight.role.stack] if weight.role.name in RESIDUAL else wide

        return Arranged([init(weight) for weight in whole.weights])
