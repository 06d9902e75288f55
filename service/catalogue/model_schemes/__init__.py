"""Schemes over whole models: inits by role and depth. One a file, and this table."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from service.catalogue.model_schemes.deepnorm import DeepNorm
from service.catalogue.model_schemes.depth_scaled import DepthScaled
from service.catalogue.model_schemes.ds_init import DsInit
from service.catalogue.model_schemes.fixup import Fixup
from service.catalogue.model_schemes.gpt2_residual import Gpt2Residual
from service.catalogue.model_schemes.model_scheme import Arranged, Extra, ModelScheme
from service.catalogue.model_schemes.mup import Mup
from service.catalogue.model_schemes.normformer import NormFormer
from service.catalogue.model_schemes.rezero import ReZero, SkipInit
from service.catalogue.model_schemes.role import Placed, Role, RoleName, StackName, Whole
from service.catalogue.model_schemes.small_init import SmallInit, WangInit
from service.catalogue.model_schemes.sub_ln import SubLn
from service.catalogue.model_schemes.t_fixup import TFixup
from service.catalogue.schemes.scheme import canonical

_Kinds = (
    Fixup
    | TFixup
    | DsInit
    | DeepNorm
    | SubLn
    | NormFormer
    | ReZero
    | SkipInit
    | Gpt2Residual
    | DepthScaled
    | SmallInit
    | WangInit
    | Mup
)

MODEL_SCHEMES: dict[str, type[ModelScheme]] = {
    kind.__dataclass_fields__["scheme"].default: kind for kind in _Kinds.__args__
}
"""Every scheme over models by its name in a recipe."""


def _object_of(scheme: Any) -> Any:
    """Replace a name by its object."""
    return {"scheme": scheme} if isinstance(scheme, str) else scheme


_Name = Literal[tuple(MODEL_SCHEMES)]  # type: ignore[valid-type]
_Object = Annotated[_Kinds, Field(discriminator="scheme")]

AnyModelScheme = Annotated[
    _Object,
    BeforeValidator(_object_of, json_schema_input_type=_Name | _Object),
    PlainSerializer(canonical),
]
"""Every scheme over models, for the recipe: an object, or its name."""

__all__ = [
    "MODEL_SCHEMES",
    "AnyModelScheme",
    "Arranged",
    "Extra",
    "ModelScheme",
    "Mup",
    "Placed",
    "Role",
    "RoleName",
    "StackName",
    "Whole",
]
