"""Bilinear: a transposed convolution that starts as bilinear upsampling.

Source: Caffe's BilinearFiller: https://github.com/BVLC/caffe/blob/master/include/caffe/filler.hpp
    MXNet's Bilinear: https://github.com/apache/mxnet/blob/master/python/mxnet/initializer.py
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from service.catalogue import distributions
from service.errors import UnsuitableShape
from service.numerics.fans import Geometry

_LARGEST = 4096
"""Elements of a kernel's side: upsampling by 2,048."""


@dataclass(frozen=True, slots=True)
class Bilinear:
    """A tent over the kernel, the same in every pair of channels.

    Args:
        variant: The centre: ``caffe`` (k-1)/(2f) or ``mxnet`` (2f-1-f%2)/(2f), f = ceil(k/2), of
            the width k. They agree if k modulo 4 is 0 or 1.
    """

    formula: ClassVar[str] = "w[.., y, x] = (1 - |x/f - c|) (1 - |y/f - c|)"
    source: ClassVar[str] = "https://github.com/BVLC/caffe/blob/master/include/caffe/filler.hpp"
    variant: Literal["caffe", "mxnet"] = "caffe"
    scheme: Literal["bilinear"] = "bilinear"

    def resolve(self, geometry: Geometry) -> distributions.Distribution:
        """Return the law for a convolution's kernel.

        Raises:
            UnsuitableShape: Not two axes of receptive field, or a rectangle under ``caffe``.
        """
        letters = geometry.letters if len(geometry.shape) == 4 else ""
        axes = [axis for axis, letter in enumerate(letters) if letter not in "OIB"]
        if len(axes) != 2:
            raise UnsuitableShape(
                "bilinear needs 4 axes, two of them the kernel's height and width"
            )
        height, width = (geometry.part_shape[axis] for axis in axes)
        if not 0 < max(height, width) <= _LARGEST or 0 in (height, width):
            raise UnsuitableShape(f"bilinear takes kernels of 1 to {_LARGEST} a side")
        if self.variant == "caffe" and height != width:
            raise UnsuitableShape(
                f"bilinear needs a square kernel, and this is {height} x {width}: the variant mxnet"
                " takes any"
            )
        factor = -(-width // 2)
        shift = width - 1 if self.variant == "caffe" else 2 * factor - 1 - factor % 2
        return distributions.Bilinear(geometry, (axes[0], axes[1]), factor, shift)
