"""Normalization layers: scales of 1, shifts of 0, and running statistics.

Sources:
    torch.nn: https://docs.pytorch.org/docs/stable/nn.html#normalization-layers
    Keras: https://keras.io/api/layers/normalization_layers/
    flax.linen: https://flax.readthedocs.io/en/latest/api_reference/flax.linen/layers.html
    Caffe's BatchNorm: https://github.com/BVLC/caffe/blob/master/src/caffe/layers/batch_norm_layer.cpp
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from service.catalogue.layers.defaults import ONES, ZEROS
from service.catalogue.layers.form import Convention, Parameter, StoredTensor, Tensors, same_form
from service.catalogue.layers.layer import Layer, Size
from service.errors import LayerError

_SCALES: dict[Convention, str] = {"pytorch": "weight", "keras": "gamma", "flax": "scale"}
_SHIFTS: dict[Convention, str] = {"pytorch": "bias", "keras": "beta", "flax": "bias"}
_COUNTER = same_form("buffer", {}, ZEROS, {"pytorch": "num_batches_tracked"}, dtype="I64")

Shape = Size | Annotated[tuple[Size, ...], Field(min_length=1, max_length=8)]


def _axes(shape: int | tuple[int, ...]) -> dict[str, int]:
    """Return letters for axes that are neither inputs nor outputs."""
    return dict(zip("ABCDEFHK", (shape,) if isinstance(shape, int) else shape, strict=False))


def _affine(channels: int) -> Iterator[Parameter]:
    yield same_form("norm", {"C": channels}, ONES, _SCALES)
    yield same_form("norm", {"C": channels}, ZEROS, _SHIFTS)


class LayerNorm(Layer):
    """A normalization over the features of each example."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html"
    example: ClassVar[dict[str, Any]] = {"normalized_shape": 6}
    type: Literal["layer_norm"]
    normalized_shape: Shape
    elementwise_affine: bool = True
    bias: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield its scale and its shift."""
        axes = _axes(self.normalized_shape)
        if self.elementwise_affine:
            yield same_form("norm", axes, ONES, _SCALES)
        if self.elementwise_affine and self.bias:
            yield same_form("norm", axes, ZEROS, _SHIFTS)


class RmsNorm(Layer):
    """A normalization by the root mean square of the features."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html"
    example: ClassVar[dict[str, Any]] = {"normalized_shape": 6}
    type: Literal["rms_norm"]
    normalized_shape: Shape
    elementwise_affine: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield its scale."""
        if self.elementwise_affine:
            names: dict[Convention, str] = {"pytorch": "weight", "keras": "scale", "flax": "scale"}
            yield same_form("norm", _axes(self.normalized_shape), ONES, names)


class BatchNorm(Layer):
    """A normalization over the batch, with running statistics; in Caffe a Scale layer follows."""

    source: ClassVar[str] = (
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html"
    )
    example: ClassVar[dict[str, Any]] = {"num_features": 6}
    type: Literal["batch_norm"]
    num_features: Size
    affine: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield its scale and shift, its running statistics and its counter."""
        axes = {"C": self.num_features}
        if self.affine:
            yield same_form("norm", axes, ONES, {**_SCALES, "caffe": "scale/0"})
            yield same_form("norm", axes, ZEROS, {**_SHIFTS, "caffe": "scale/1"})
        yield self._statistic("running_mean", "moving_mean", "mean", "0")
        yield self._statistic("running_var", "moving_variance", "var", "1")
        yield _COUNTER
        yield same_form("buffer", {"C": 1}, ZEROS, {"caffe": "2"})

    def _statistic(self, torch: str, keras: str, flax: str, caffe: str) -> Parameter:
        # Caffe stores sums, and divides them by its third blob.
        names: dict[Convention, str] = {"pytorch": torch, "keras": keras, "flax": flax}
        init = ONES if flax == "var" else ZEROS
        made = same_form("buffer", {"C": self.num_features}, init, names)
        sums: Tensors = {"caffe": (StoredTensor(caffe, "C", ZEROS),)}
        return Parameter("buffer", made.sizes, {**made.tensors, **sums})


class GroupNorm(Layer):
    """A normalization over groups of channels of each example."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html"
    example: ClassVar[dict[str, Any]] = {"num_groups": 2, "num_channels": 6}
    type: Literal["group_norm"]
    num_groups: Size
    num_channels: Size
    affine: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield its scale and its shift.

        Raises:
            LayerError: The groups do not divide the channels.
        """
        if self.num_channels % self.num_groups:
            raise LayerError(
                f"num_groups ({self.num_groups}) must divide num_channels ({self.num_channels})"
            )
        if self.affine:
            yield from _affine(self.num_channels)


class InstanceNorm(Layer):
    """A normalization over each channel of each example; as in PyTorch, no tensors by default."""

    source: ClassVar[str] = (
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm2d.html"
    )
    example: ClassVar[dict[str, Any]] = {"num_features": 6, "affine": True}
    type: Literal["instance_norm"]
    num_features: Size
    affine: bool = False
    track_running_stats: bool = False

    def parameters(self) -> Iterator[Parameter]:
        """Yield its scale and shift, its running statistics and its counter."""
        axes = {"C": self.num_features}
        if self.affine:
            yield same_form("norm", axes, ONES, {"pytorch": "weight", "flax": "scale"})
            yield same_form("norm", axes, ZEROS, {"pytorch": "bias", "flax": "bias"})
        if self.track_running_stats:
            yield same_form("buffer", axes, ZEROS, {"pytorch": "running_mean"})
            yield same_form("buffer", axes, ONES, {"pytorch": "running_var"})
            yield _COUNTER
