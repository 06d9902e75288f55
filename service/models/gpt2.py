"""GPT-2: decoder blocks whose linear layers are stored transposed (Conv1D: in, out).

Source: transformers' GPT2PreTrainedModel: https://huggingface.co/docs/transformers/model_doc/gpt2
"""

from collections.abc import Iterator
from typing import ClassVar

from service.model_schemes.role import Role
from service.models.config import Config, Count
from service.schemes import Normal
from service.weight import Weight, tensor


class Gpt2(Config):
    """GPT-2 and what shares its architecture: a packed qkv, tied embeddings."""

    model_types: ClassVar[tuple[str, ...]] = ("gpt2",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/gpt2"

    vocab_size: Count = 50257
    n_embd: Count = 768
    initializer_range: float = 0.02

    def weights(self) -> Iterator[Weight]:
        """Return the tensors of GPT2LMHeadModel."""
        normal = Normal(std=self.initializer_range)
        shape = (self.vocab_size, self.n_embd)
        yield Weight(tensor("transformer.wte.weight", shape, normal), (Role("embedding"),))
