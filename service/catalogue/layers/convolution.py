"""Convolutions and transposed convolutions.

Sources:
    torch.nn.Conv2d: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    Keras: https://keras.io/api/layers/convolution_layers/
    flax.linen: https://flax.readthedocs.io/en/latest/api_reference/flax.linen/layers.html
    Caffe: https://github.com/BVLC/caffe/blob/master/src/caffe/layers/base_conv_layer.cpp
"""

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from service.catalogue.layers.defaults import CAFFE, FLAX, KERAS, TORCH
from service.catalogue.layers.form import Parameter, StoredTensor, Tensors
from service.catalogue.layers.layer import Layer, Size
from service.catalogue.layers.linear import bias
from service.errors import LayerError
from service.numerics.fans import Fans

_KERNEL = Field(description="one size for every axis, or a list with one for each axis")


class Convolution(Layer):
    """What convolutions of any rank share; ``groups`` divide the channels into equal parts."""

    axes: ClassVar[str]
    """The letters of the kernel's own axes."""

    in_channels: Size
    out_channels: Size
    kernel_size: Any
    groups: Size = 1
    bias: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield its kernel, and its bias if it has one.

        Raises:
            LayerError: The groups do not divide the channels.
        """
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise LayerError(
                f"groups ({self.groups}) must divide in_channels ({self.in_channels})"
                f" and out_channels ({self.out_channels})"
            )
        sizes = {
            "N": self.groups,
            "O": self.out_channels // self.groups,
            "I": self.in_channels // self.groups,
            **kernel(self.axes, self.kernel_size),
        }
        kept, torch = self._tensors(sizes)
        weight = Parameter("weight", sizes, kept)
        yield weight
        if self.bias:
            yield bias(self.out_channels, weight.fans, torch)

    def _tensors(self, sizes: dict[str, int]) -> tuple[Tensors, Fans | None]:
        """Return the kernel's tensors, with the fans that torch uses if they differ."""
        window = " ".join(self.axes)
        area = math.prod(sizes[axis] for axis in self.axes)
        # Keras counts the outputs of all groups.
        keras = Fans(sizes["I"] * area, self.out_channels * area)
        return {
            "pytorch": (StoredTensor("weight", f"(N O) I {window}", TORCH),),
            "keras": (StoredTensor("kernel", f"{window} I (N O)", KERAS, keras),),
            "flax": (StoredTensor("kernel", f"{window} I (N O)", FLAX),),
            "caffe": (StoredTensor("0", f"(N O) I {window}", CAFFE),),
        }, None


class TransposedConvolution(Convolution):
    """What transposed convolutions share; only PyTorch and Caffe have groups."""

    def _tensors(self, sizes: dict[str, int]) -> tuple[Tensors, Fans | None]:
        window = " ".join(self.axes)
        area = math.prod(sizes[axis] for axis in self.axes)
        # torch treats axis 1 as inputs, but here it is the outputs.
        torch = Fans(sizes["O"] * area, self.in_channels * area)
        tensors: Tensors = {
            "pytorch": (StoredTensor("weight", f"(N I) O {window}", TORCH, torch),),
            "caffe": (StoredTensor("0", f"(N I) O {window}", CAFFE),),
        }
        if self.groups == 1:
            tensors["keras"] = (StoredTensor("kernel", f"{window} O I", KERAS),)
            tensors["flax"] = (StoredTensor("kernel", f"{window} I O", FLAX),)
        return tensors, torch


def kernel(axes: str, size: Any) -> dict[str, int]:
    """Return the size of each axis of a kernel.

    >>> kernel("HW", 3)
    {'H': 3, 'W': 3}
    """
    sizes = (size,) * len(axes) if isinstance(size, int) else size
    return dict(zip(axes, sizes, strict=True))


class Conv1d(Convolution):
    """A convolution over sequences."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv1d.html"
    example: ClassVar[dict[str, Any]] = {"in_channels": 6, "out_channels": 4, "kernel_size": 3}
    axes: ClassVar[str] = "W"
    type: Literal["conv1d"]
    kernel_size: Size | tuple[Size] = _KERNEL


class Conv2d(Convolution):
    """A convolution over images."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html"
    example: ClassVar[dict[str, Any]] = {"in_channels": 6, "out_channels": 4, "kernel_size": [3, 5]}
    axes: ClassVar[str] = "HW"
    type: Literal["conv2d"]
    kernel_size: Size | tuple[Size, Size] = _KERNEL


class Conv3d(Convolution):
    """A convolution over volumes."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv3d.html"
    example: ClassVar[dict[str, Any]] = {"in_channels": 6, "out_channels": 4, "kernel_size": 3}
    axes: ClassVar[str] = "DHW"
    type: Literal["conv3d"]
    kernel_size: Size | tuple[Size, Size, Size] = _KERNEL


class ConvTranspose1d(TransposedConvolution):
    """A transposed convolution over sequences."""

    source: ClassVar[str] = (
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose1d.html"
    )
    example: ClassVar[dict[str, Any]] = Conv1d.example
    axes: ClassVar[str] = "W"
    type: Literal["conv_transpose1d"]
    kernel_size: Size | tuple[Size] = _KERNEL


class ConvTranspose2d(TransposedConvolution):
    """A transposed convolution over images."""

    source: ClassVar[str] = (
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html"
    )
    example: ClassVar[dict[str, Any]] = Conv2d.example
    axes: ClassVar[str] = "HW"
    type: Literal["conv_transpose2d"]
    kernel_size: Size | tuple[Size, Size] = _KERNEL


class ConvTranspose3d(TransposedConvolution):
    """A transposed convolution over volumes."""

    source: ClassVar[str] = (
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose3d.html"
    )
    example: ClassVar[dict[str, Any]] = Conv3d.example
    axes: ClassVar[str] = "DHW"
    type: Literal["conv_transpose3d"]
    kernel_size: Size | tuple[Size, Size, Size] = _KERNEL
