"""Recurrent layers: an input kernel, a recurrent kernel and biases for each layer and direction.

Gates are numbered in PyTorch's order: i f g o and r z n. Keras, Flax and Caffe have no
``num_layers`` or ``bidirectional``; there, such a layer is several layers with the names ``l0``,
``l0_reverse``, ``l1``...

Sources:
    torch.nn.LSTM: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    keras.layers.GRU: https://keras.io/api/layers/recurrent_layers/gru/
    flax.linen.LSTMCell: https://flax.readthedocs.io/en/latest/api_reference/flax.linen/layers.html
    Caffe's LSTM: https://github.com/BVLC/caffe/blob/master/src/caffe/layers/lstm_layer.cpp
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from service.catalogue.layers.defaults import (
    CAFFE,
    FLAX,
    KERAS,
    KERAS_GATES,
    ORTHOGONAL,
    TORCH,
    ZEROS,
)
from service.catalogue.layers.form import Parameter, StoredTensor, Tensors
from service.catalogue.layers.layer import Layer, Size
from service.catalogue.schemes import Scheme
from service.numerics.fans import Fans


class _Cell(NamedTuple):
    """One layer in one direction.

    Args:
        inputs: Number of input features.
        torch: Suffix of its parameters' names in PyTorch.
        path: Prefix of their names elsewhere, with a separator; empty if it is the only cell.
    """

    inputs: int
    torch: str
    path: str

    def flax(self, name: str) -> str:
        """Return a name in Flax."""
        return f"{self.path}{name}".replace("/", ".")


class Recurrent(Layer):
    """What recurrent layers with any gates share."""

    gates: ClassVar[tuple[str, ...]]
    """The names of the gates in Flax."""

    keras: ClassVar[str]
    """The name of the cell in Keras."""

    in_keras: ClassVar[tuple[int, ...]] = ()
    in_caffe: ClassVar[tuple[int, ...] | None] = ()
    """The order of the gates there; empty: PyTorch's order; None: there is no such layer."""

    keras_bias: ClassVar[tuple[str, Scheme]] = ("(G O)", ZEROS)
    flax_biases: ClassVar[Mapping[tuple[int, int], str]]
    """The submodules with a bias, by (twin bias, gate)."""

    input_size: Size
    hidden_size: Size
    num_layers: Annotated[int, Field(ge=1, le=1000)] = 1
    bidirectional: bool = False
    bias: bool = True

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters of every layer and direction."""
        for cell in self._cells():
            yield self._kernel(cell, cell.inputs)
            yield self._kernel(cell, self.hidden_size, is_recurrent=True)
            if self.bias:
                yield self._biases(cell)

    def _cells(self) -> Iterator[_Cell]:
        directions = ("", "_reverse") if self.bidirectional else ("",)
        is_only = self.num_layers == len(directions) == 1
        inputs = self.input_size
        for layer in range(self.num_layers):
            for direction in directions:
                suffix = f"l{layer}{direction}"
                yield _Cell(inputs, f"_{suffix}", "" if is_only else f"{suffix}/")
            inputs = self.hidden_size * len(directions)

    def _kernel(self, cell: _Cell, inputs: int, *, is_recurrent: bool = False) -> Parameter:
        units, gates = self.hidden_size, len(self.gates)
        torch, keras, flax, caffe = (
            ("hh", "recurrent_kernel", "h", "2") if is_recurrent else ("ih", "kernel", "i", "0")
        )
        init = ORTHOGONAL if is_recurrent else None
        fused = Fans(inputs, gates * units)
        keras = f"{cell.path}{self.keras}/{keras}"
        tensors: Tensors = {
            "pytorch": (
                StoredTensor(f"weight_{torch}{cell.torch}", "(G O) I", TORCH, Fans(units, units)),
            ),
            "keras": (StoredTensor(keras, "I (G O)", init or KERAS, fused, gates=self.in_keras),),
            "flax": tuple(
                StoredTensor(
                    cell.flax(f"{flax}{gate}/kernel"), "I O", init or FLAX, at={"G": index}
                )
                for index, gate in enumerate(self.gates)
            ),
        }
        if self.in_caffe is not None and self.bias:
            name = f"{cell.path}{caffe}"
            tensors["caffe"] = (StoredTensor(name, "(G O) I", CAFFE, gates=self.in_caffe),)
        return Parameter("weight", {"G": gates, "O": units, "I": inputs}, tensors)

    def _biases(self, cell: _Cell) -> Parameter:
        units = self.hidden_size
        form, init = self.keras_bias
        one = {} if "T" in form else {"T": 0}
        name = f"{cell.path}{self.keras}/bias"
        tensors: Tensors = {
            "pytorch": tuple(
                StoredTensor(
                    f"bias_{side}{cell.torch}", "(G O)", TORCH, Fans(units, units), at={"T": twin}
                )
                for twin, side in enumerate(("ih", "hh"))
            ),
            "keras": (StoredTensor(name, form, init, at=one, gates=self.in_keras),),
            "flax": tuple(
                StoredTensor(cell.flax(f"{module}/bias"), "O", ZEROS, at={"T": twin, "G": gate})
                for (twin, gate), module in self.flax_biases.items()
            ),
        }
        if self.in_caffe is not None:
            blob = f"{cell.path}1"
            tensors["caffe"] = (
                StoredTensor(blob, "(G O)", CAFFE, at={"T": 0}, gates=self.in_caffe),
            )
        sizes = {"T": 2, "G": len(self.gates), "O": units}
        return Parameter("bias", sizes, tensors, fan=Fans(cell.inputs, units))


class Rnn(Recurrent):
    """A recurrent layer without gates; in Caffe it includes an output layer."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html"
    example: ClassVar[dict[str, Any]] = {"input_size": 6, "hidden_size": 4}
    gates: ClassVar[tuple[str, ...]] = ("",)
    keras: ClassVar[str] = "simple_rnn_cell"
    flax_biases: ClassVar[Mapping[tuple[int, int], str]] = {(0, 0): "i"}
    type: Literal["rnn"]

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters of every layer and direction, and Caffe's output layers."""
        yield from super().parameters()
        units = self.hidden_size
        for cell in self._cells() if self.bias else ():
            weight: Tensors = {"caffe": (StoredTensor(f"{cell.path}3", "O I", CAFFE),)}
            shift: Tensors = {"caffe": (StoredTensor(f"{cell.path}4", "O", CAFFE),)}
            yield Parameter("weight", {"O": units, "I": units}, weight)
            yield Parameter("bias", {"O": units}, shift, fan=Fans(units, units))


class Lstm(Recurrent):
    """A long short-term memory: input, forget and output gates around a cell."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html"
    example: ClassVar[dict[str, Any]] = Rnn.example
    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    keras: ClassVar[str] = "lstm_cell"
    in_caffe: ClassVar[tuple[int, ...] | None] = (0, 1, 3, 2)
    keras_bias: ClassVar[tuple[str, Scheme]] = ("(G O)", KERAS_GATES)
    flax_biases: ClassVar[Mapping[tuple[int, int], str]] = {
        (0, gate): f"h{name}" for gate, name in enumerate("ifgo")
    }
    type: Literal["lstm"]


class Gru(Recurrent):
    """A gated recurrent unit: reset and update gates; the reset is after the recurrent product."""

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html"
    example: ClassVar[dict[str, Any]] = Rnn.example
    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")
    keras: ClassVar[str] = "gru_cell"
    in_keras: ClassVar[tuple[int, ...]] = (1, 0, 2)
    in_caffe: ClassVar[tuple[int, ...] | None] = None
    keras_bias: ClassVar[tuple[str, Scheme]] = ("T (G O)", ZEROS)
    flax_biases: ClassVar[Mapping[tuple[int, int], str]] = {
        (0, 0): "ir",
        (0, 1): "iz",
        (0, 2): "in",
        (1, 2): "hn",
    }
    type: Literal["gru"]
