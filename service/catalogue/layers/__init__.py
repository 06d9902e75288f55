"""Layers: types that expand to tensors in a convention's names and layouts. One family a file.

A new layer is a class, a line here and a row in docs/layers.md.
"""

from typing import Annotated, get_args

from pydantic import Field

from service.catalogue.layers.activation import PRelu
from service.catalogue.layers.attention import MultiheadAttention
from service.catalogue.layers.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from service.catalogue.layers.embedding import Embedding
from service.catalogue.layers.form import Convention
from service.catalogue.layers.layer import Layer
from service.catalogue.layers.linear import BilinearForm, Linear
from service.catalogue.layers.normalization import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RmsNorm,
)
from service.catalogue.layers.recurrent import Gru, Lstm, Rnn
from service.catalogue.layers.separable import DepthwiseConv2d, SeparableConv2d

_Layers = (
    Linear
    | BilinearForm
    | Embedding
    | Conv1d
    | Conv2d
    | Conv3d
    | ConvTranspose1d
    | ConvTranspose2d
    | ConvTranspose3d
    | DepthwiseConv2d
    | SeparableConv2d
    | Rnn
    | Lstm
    | Gru
    | MultiheadAttention
    | LayerNorm
    | RmsNorm
    | BatchNorm
    | GroupNorm
    | InstanceNorm
    | PRelu
)

AnyLayer = Annotated[_Layers, Field(discriminator="type")]
"""Every layer, for the recipe's discriminated union."""

LAYERS: dict[str, type[Layer]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(_Layers)
}
"""Every layer by the type that a recipe gives it."""

__all__ = ["LAYERS", "AnyLayer", "Convention", "Layer"]
