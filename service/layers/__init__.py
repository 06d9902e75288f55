"""Layers: types that, with a convention's names and layouts, give tensors. One family a file."""

from typing import Annotated

from pydantic import Field

from service.layers.form import Convention
from service.layers.layer import Layer
from service.layers.linear import Linear

AnyLayer = Annotated[Linear, Field()]
"""Every layer, for the recipe's discriminated union."""

LAYERS: dict[str, type[Layer]] = {
    kind.model_fields["type"].annotation.__args__[0]: kind for kind in (Linear,)
}
"""Every layer by the type that a recipe gives it."""

__all__ = ["LAYERS", "AnyLayer", "Convention", "Layer"]
