"""Fully connected layers.

Sources:
    torch.nn.Linear: https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    Caffe's InnerProduct: https://github.com/BVLC/caffe/blob/master/src/caffe/layers/inner_product_layer.cpp
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from service.layers.defaults import CAFFE, FLAX, KERAS, TORCH, ZEROS
from service.layers.form import Held, Parameter
from service.layers.layer import Layer, Size
from service.numerics.fans import Fans


class Linear(Layer):
    """A fully connected layer: every output a weighted sum of every input."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html"
    type: Literal["linear"]
    in_features: Size
    out_features: Size
    bias: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield its kernel, and its bias if it has one."""
        sizes = {"O": self.out_features, "I": self.in_features}
        yield Parameter(
            "weight",
            sizes,
            {
                "pytorch": (Held("weight", "O I", TORCH),),
                "keras": (Held("kernel", "I O", KERAS),),
                "flax": (Held("kernel", "I O", FLAX),),
                "caffe": (Held("0", "O I", CAFFE),),
            },
        )
        if self.bias:
            yield bias(self.out_features, Fans(self.in_features, self.out_features))


def bias(size: int, fans: Fans) -> Parameter:
    """Return the bias of a layer with these fans: torch's has the bound of its weights."""
    return Parameter(
        "bias",
        {"O": size},
        {
            "pytorch": (Held("bias", "O", TORCH, fan=fans),),
            "keras": (Held("bias", "O", ZEROS),),
            "flax": (Held("bias", "O", ZEROS),),
            "caffe": (Held("1", "O", CAFFE),),
        },
    )
