"""Activations that have parameters.

Sources:
    torch.nn.PReLU: https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html
    Caffe's PReLU: https://github.com/BVLC/caffe/blob/master/src/caffe/layers/prelu_layer.cpp
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from service.catalogue.layers.defaults import ZEROS
from service.catalogue.layers.form import Held, Parameter, Tensors
from service.catalogue.layers.layer import Layer, Size
from service.catalogue.schemes import Constant


class PRelu(Layer):
    """A rectifier whose slope below zero is learnt, one for all channels or one for each."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html"
    example: ClassVar[dict[str, Any]] = {}
    type: Literal["prelu"]
    num_parameters: Size = 1

    def parameters(self) -> Iterator[Parameter]:
        """Yield its slopes; Flax has one, and Caffe's one is a scalar."""
        is_one = self.num_parameters == 1
        held: Tensors = {
            "pytorch": (Held("weight", "C", Constant(value=0.25)),),
            "keras": (Held("alpha", "C", ZEROS),),
            "caffe": (Held("0", "" if is_one else "C", Constant(value=0.25)),),
        }
        if is_one:
            held["flax"] = (Held("negative_slope", "", Constant(value=0.01)),)
        yield Parameter("slope", {"C": self.num_parameters}, held)
