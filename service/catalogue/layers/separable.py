"""Convolutions of each channel separately.

Sources:
    keras.layers.DepthwiseConv2D: https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/
    keras.layers.SeparableConv2D: https://keras.io/api/layers/convolution_layers/separable_convolution2d/
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from service.catalogue.layers.convolution import kernel
from service.catalogue.layers.defaults import CAFFE, FLAX, KERAS, TORCH, ZEROS
from service.catalogue.layers.form import Parameter, StoredTensor, Tensors
from service.catalogue.layers.layer import Layer, Size
from service.catalogue.layers.linear import bias
from service.numerics.fans import Fans

_MULTIPLIER = Field(1, description="outputs of each channel")


class DepthwiseConv2d(Layer):
    """A convolution of each channel separately; outside Keras, one with as many groups."""

    source: ClassVar[str] = (
        "https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/"
    )
    example: ClassVar[dict[str, Any]] = {"channels": 6, "kernel_size": [3, 5], "multiplier": 2}
    type: Literal["depthwise_conv2d"]
    channels: Size
    kernel_size: Size | tuple[Size, Size]
    multiplier: Size = _MULTIPLIER
    bias: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield its kernel, and its bias if it has one."""
        sizes = _sizes(self.channels, self.multiplier, self.kernel_size)
        weight = Parameter(
            "weight",
            sizes,
            {
                "pytorch": (StoredTensor("weight", "(N O) I H W", TORCH),),
                "keras": (_of_keras("kernel", sizes),),
                "flax": (StoredTensor("kernel", "H W I (N O)", FLAX),),
                "caffe": (StoredTensor("0", "(N O) I H W", CAFFE),),
            },
        )
        yield weight
        if self.bias:
            yield bias(self.channels * self.multiplier, weight.fans)


class SeparableConv2d(Layer):
    """A convolution of each channel separately, then one that mixes them; only Keras has it."""

    source: ClassVar[str] = (
        "https://keras.io/api/layers/convolution_layers/separable_convolution2d/"
    )
    example: ClassVar[dict[str, Any]] = {"in_channels": 6, "out_channels": 4, "kernel_size": 3}
    type: Literal["separable_conv2d"]
    in_channels: Size
    out_channels: Size
    kernel_size: Size | tuple[Size, Size]
    multiplier: Size = _MULTIPLIER
    bias: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield its two kernels, and its bias if it has one."""
        sizes = _sizes(self.in_channels, self.multiplier, self.kernel_size)
        yield Parameter("weight", sizes, {"keras": (_of_keras("depthwise_kernel", sizes),)})
        mixed = {"O": self.out_channels, "I": self.in_channels * self.multiplier, "H": 1, "W": 1}
        mixing: Tensors = {"keras": (StoredTensor("pointwise_kernel", "H W I O", KERAS),)}
        yield (pointwise := Parameter("weight", mixed, mixing))
        if self.bias:
            tensors: Tensors = {"keras": (StoredTensor("bias", "O", ZEROS),)}
            yield Parameter("bias", {"O": self.out_channels}, tensors, fan=pointwise.fans)


def _sizes(channels: int, multiplier: int, size: Any) -> dict[str, int]:
    return {"N": channels, "O": multiplier, "I": 1, **kernel("HW", size)}


def _of_keras(name: str, sizes: dict[str, int]) -> StoredTensor:
    """Return Keras's depthwise kernel; its fan_in counts all channels."""
    area = sizes["H"] * sizes["W"]
    return StoredTensor(name, "H W N O", KERAS, Fans(sizes["N"] * area, sizes["O"] * area))
