"""Schemes over whole models: a weight's init by its role and depth. One a file, and this table."""

from service.model_schemes.deepnorm import DeepNorm
from service.model_schemes.model_scheme import Extra, ModelScheme
from service.model_schemes.role import Placed, Role, RoleName, StackName, Whole

AnyModelScheme = DeepNorm
"""Every scheme over a model, for the recipe's discriminated union."""

MODEL_SCHEMES: dict[str, type[ModelScheme]] = {
    kind.__dataclass_fields__["scheme"].default: kind for kind in (DeepNorm,)
}
"""Every scheme over a model by the name that a recipe gives it."""

__all__ = [
    "MODEL_SCHEMES",
    "AnyModelScheme",
    "Extra",
    "ModelScheme",
    "Placed",
    "Role",
    "RoleName",
    "StackName",
    "Whole",
]
