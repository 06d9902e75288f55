"""Activations that have parameters.

Sources:
    torch.nn.PReLU: https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html
    Caffe's PReLU: https://github.com/BVLC/caffe/blob/master/src/caffe/layers/prelu_layer.cpp
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from service.catalogue.layers.defaults import ZEROS
from service.catalogue.layers.form import Parameter, StoredTensor, Tensors
from service.catalogue.layers.layer import Layer, Size
from service.catalogue.schemes import Constant


class PRelu(Layer):
    """A rectifier with a learnt slope below zero: one for all channels, or one for each."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html"
    example: ClassVar[dict[str, Any]] = {}
    type: Literal["prelu"]
    num_parameters: Size = 1

    def parameters(self) -> Iterator[Parameter]:
        """Yield its slopes. Flax only has a single one; a single one is a scalar in Caffe."""
        is_one = self.num_parameters == 1
        tensors: Tensors = {
            "pytorch": (StoredTensor("weight", "C", Constant(value=0.25)),),
            "keras": (StoredTensor("alpha", "C", ZEROS),),
            "caffe": (StoredTensor("0", "" if is_one else "C", Constant(value=0.25)),),
        }
        if is_one:
            tensors["flax"] = (StoredTensor("negative_slope", "", Constant(value=0.01)),)
        yield Parameter("slope", {"C": self.num_parameters}, tensors)
