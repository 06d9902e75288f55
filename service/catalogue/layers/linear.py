"""Fully connected layers.

Sources:
    torch.nn.Linear: https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    Caffe's InnerProduct: https://github.com/BVLC/caffe/blob/master/src/caffe/layers/inner_product_layer.cpp
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from service.catalogue.layers.defaults import CAFFE, FLAX, KERAS, TORCH, ZEROS
from service.catalogue.layers.form import Parameter, StoredTensor, Tensors
from service.catalogue.layers.layer import Layer, Size
from service.numerics.fans import Fans


class Linear(Layer):
    """A fully connected layer: every output is a weighted sum of all inputs."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html"
    example: ClassVar[dict[str, Any]] = {"in_features": 6, "out_features": 4}
    type: Literal["linear"]
    in_features: Size
    out_features: Size
    bias: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield its kernel, and its bias if it has one."""
        yield Parameter(
            "weight",
            {"O": self.out_features, "I": self.in_features},
            {
                "pytorch": (StoredTensor("weight", "O I", TORCH),),
                "keras": (StoredTensor("kernel", "I O", KERAS),),
                "flax": (StoredTensor("kernel", "I O", FLAX),),
                "caffe": (StoredTensor("0", "O I", CAFFE),),
            },
        )
        if self.bias:
            yield bias(self.out_features, Fans(self.in_features, self.out_features))


class BilinearForm(Layer):
    """A bilinear layer: every output is a weighted sum of products of two inputs' features."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.Bilinear.html"
    example: ClassVar[dict[str, Any]] = {"in1_features": 6, "in2_features": 5, "out_features": 4}
    type: Literal["bilinear"]
    in1_features: Size
    in2_features: Size
    out_features: Size
    bias: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield its weight and its bias, if any; torch takes the bounds of both from input 1."""
        sizes = {"O": self.out_features, "I": self.in1_features, "J": self.in2_features}
        torch = Fans(self.in1_features, self.out_features)
        weight = Parameter(
            "weight", sizes, {"pytorch": (StoredTensor("weight", "O I J", TORCH, torch),)}
        )
        yield weight
        if self.bias:
            tensors: Tensors = {"pytorch": (StoredTensor("bias", "O", TORCH, torch),)}
            yield Parameter("bias", {"O": self.out_features}, tensors, fan=weight.fans)


def bias(size: int, fans: Fans | None, torch: Fans | None = None) -> Parameter:
    """Return the bias of a layer; in torch it has the same bound as the weights.

    Args:
        size: Number of outputs.
        fans: The true fans of the weights.
        torch: The fans that torch uses, if they differ.
    """
    return Parameter(
        "bias",
        {"O": size},
        {
            "pytorch": (StoredTensor("bias", "O", TORCH, torch),),
            "keras": (StoredTensor("bias", "O", ZEROS),),
            "flax": (StoredTensor("bias", "O", ZEROS),),
            "caffe": (StoredTensor("1", "O", CAFFE),),
        },
        fan=fans,
    )
