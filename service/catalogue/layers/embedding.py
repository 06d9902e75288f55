"""Embedding tables.

Sources:
    torch.nn.Embedding: https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    Caffe's Embed: https://github.com/BVLC/caffe/blob/master/src/caffe/layers/embed_layer.cpp
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from service.catalogue.layers.defaults import CAFFE, FLAX_TABLE, KERAS_TABLE, TORCH_TABLE
from service.catalogue.layers.form import Parameter, StoredTensor, Tensors
from service.catalogue.layers.layer import Layer, Size
from service.errors import LayerError


class Embedding(Layer):
    """A table: one vector for each index.

    Its fan_in is ``embedding_dim`` in every convention, as in torch.
    """

    source: ClassVar[str] = "https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html"
    example: ClassVar[dict[str, Any]] = {"num_embeddings": 10, "embedding_dim": 4}
    type: Literal["embedding"]
    num_embeddings: Size
    embedding_dim: Size
    padding_idx: int | None = Field(
        None, description="a row of zeros; negative counts from the end"
    )

    def parameters(self) -> Iterator[Parameter]:
        """Yield the table, and Caffe's bias.

        Raises:
            LayerError: The padding row is not in the table.
        """
        rows, padding = self.num_embeddings, self.padding_idx
        if padding is not None and not -rows <= padding < rows:
            raise LayerError(f"padding_idx must be from {-rows} to {rows - 1}, not {padding}")
        table = Parameter(
            "weight",
            {"O": rows, "I": self.embedding_dim},
            {
                "pytorch": (StoredTensor("weight", "O I", TORCH_TABLE),),
                "keras": (StoredTensor("embeddings", "O I", KERAS_TABLE),),
                "flax": (StoredTensor("embedding", "O I", FLAX_TABLE),),
                "caffe": (StoredTensor("0", "O I", CAFFE),),
            },
            roles=(self.role or "embedding",),
            zero_row=None if padding is None else padding % rows,
        )
        yield table
        tensors: Tensors = {"caffe": (StoredTensor("1", "O", CAFFE),)}
        yield Parameter("bias", {"O": self.embedding_dim}, tensors, fan=table.fans)
