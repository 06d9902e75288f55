"""Llama and similar: decoder blocks of gated feed-forward layers and RMSNorm, one std for all.

Source: transformers' LlamaPreTrainedModel: https://huggingface.co/docs/transformers/model_doc/llama
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from service.catalogue.model_schemes.role import Role
from service.catalogue.models.blocks import Block, blocks, embedding, linear, norm
from service.catalogue.models.config import Architecture, Count, Labelled, Layers, Padded, Std
from service.catalogue.weight import Weight
from service.errors import Problem

HEAD = Role("head")


class GatedDecoder(Padded, Labelled):
    """What Llama, Mistral and Qwen share."""

    vocab_size: Count = 32000
    hidden_size: Count = 4096
    num_hidden_layers: Layers = 32
    num_attention_heads: Count = 32
    num_key_value_heads: Count | None = None
    head_dim: Count | None = None
    intermediate_size: Count = 11008
    tie_word_embeddings: bool = False
    initializer_range: Std = 0.02

    @property
    def head_width(self) -> int:
        """Features of an attention head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def std(self) -> float:
        """The std of every matrix; transformers treats 0 as the default."""
        return self.initializer_range or 0.02

    @property
    def biased(self) -> tuple[str, ...]:
        """The linear layers of a block that have a bias."""
        return ()

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        yield from super().contradictions()
        if not self.head_width:
            detail = f"must be at most hidden_size, {self.hidden_size}: every head needs a feature"
            yield Problem("/num_attention_heads", detail)

    def body(self, prefix: str) -> Iterator[Weight]:
        """Yield the base model's tensors."""
        name, shape = f"{prefix}embed_tokens.weight", (self.vocab_size, self.hidden_size)
        yield embedding(name, shape, self.std, Role("embedding"), padding=self.pad_token_id)
        for index, block in blocks(self.num_hidden_layers, "decoder", self.num_attention_heads):
            at = f"{prefix}layers.{index}."
            yield from self._attention(f"{at}self_attn.", block)
            yield from self._feed_forward(f"{at}mlp.", block)
            yield from norm(f"{at}input_layernorm", self.hidden_size, bias=False)
            yield from norm(f"{at}post_attention_layernorm", self.hidden_size, bias=False)
        yield from norm(f"{prefix}norm", self.hidden_size, bias=False)

    def _attention(self, at: str, block: Block) -> Iterator[Weight]:
        width, heads = self.hidden_size, self.num_attention_heads
        queries = heads * self.head_width
        keys = (self.num_key_value_heads or heads) * self.head_width
        yield from self._linear(at, "q_proj", queries, width, block.role("query"))
        yield from self._linear(at, "k_proj", keys, width, block.role("key"))
        yield from self._linear(at, "v_proj", keys, width, block.role("value"))
        yield from self._linear(at, "o_proj", width, queries, block.role("out"))

    def _feed_forward(self, at: str, block: Block) -> Iterator[Weight]:
        width, inner = self.hidden_size, self.intermediate_size
        yield from self._linear(at, "gate_proj", inner, width, block.role("ffn_in"))
        yield from self._linear(at, "up_proj", inner, width, block.role("ffn_in"))
        yield from self._linear(at, "down_proj", width, inner, block.role("ffn_out"))

    def _linear(self, at: str, name: str, outs: int, ins: int, role: Role) -> Iterator[Weight]:
        return linear(at + name, (outs, ins), self.std, role, bias=name in self.biased)

    def _head(self, name: str, outs: int, *, bias: bool = True) -> Iterator[Weight]:
        return linear(name, (outs, self.hidden_size), self.std, HEAD, bias=bias)

    def lm_head(self, prefix: str) -> Iterator[Weight]:
        """Yield the language model's head, unless it is tied to the token table."""
        if not self.tie_word_embeddings:
            yield from self._head("lm_head", self.vocab_size, bias=False)

    def sequence(self, prefix: str) -> Iterator[Weight]:
        """Yield the classifier of a sequence."""
        yield from self._head("score", self.labels, bias=False)

    def token(self, prefix: str) -> Iterator[Weight]:
        """Yield the classifier of a token."""
        yield from self._head("score", self.labels)

    def question(self, prefix: str) -> Iterator[Weight]:
        """Yield the head that finds the start and end of an answer."""
        yield from self._head("qa_outputs", 2)


def architectures_of(stem: str, question_body: str = "transformer.") -> dict[str, Architecture]:
    """Return the architectures of a family.

    Args:
        stem: Prefix of their names.
        question_body: Prefix of the body's names for question answering, the only one that differs.
    """
    kind = GatedDecoder
    return {
        f"{stem}ForCausalLM": Architecture("model.", (kind.body, kind.lm_head)),
        f"{stem}Model": Architecture("", (kind.body,)),
        f"{stem}ForSequenceClassification": Architecture("model.", (kind.body, kind.sequence)),
        f"{stem}ForTokenClassification": Architecture("model.", (kind.body, kind.token)),
        f"{stem}ForQuestionAnswering": Architecture(question_body, (kind.body, kind.question)),
    }


class Llama(GatedDecoder):
    """Llama 1 to 3 and models of its architecture: optional biases, grouped key-value heads."""

    model_types: ClassVar[tuple[str, ...]] = ("llama",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/llama"
    known: ClassVar[dict[str, Architecture]] = architectures_of("Llama")

    model_type: str = "llama"
    initializer_range: Annotated[float, Field(ge=0, le=1)] = 0.02
    attention_bias: bool = False
    mlp_bias: bool = False

    @property
    def biased(self) -> tuple[str, ...]:
        """The linear layers of a block that have a bias."""
        attention = ("q_proj", "k_proj", "v_proj", "o_proj") if self.attention_bias else ()
        return attention + (("gate_proj", "up_proj", "down_proj") if self.mlp_bias else ())

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        yield from super().contradictions()
        yield from self.not_divided("hidden_size", "num_attention_heads")


class Mistral(GatedDecoder):
    """Mistral: Llama's tensors, with 8 key-value heads by default."""

    model_types: ClassVar[tuple[str, ...]] = ("mistral",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/mistral"
    known: ClassVar[dict[str, Architecture]] = architectures_of("Mistral", question_body="model.")

    model_type: str = "mistral"
    intermediate_size: Count = 14336
    num_key_value_heads: Count = 8


class Qwen2(GatedDecoder):
    """Qwen2 and 2.5: Llama's tensors, with biases on query, key and value."""

    model_types: ClassVar[tuple[str, ...]] = ("qwen2",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/qwen2"
    known: ClassVar[dict[str, Architecture]] = architectures_of("Qwen2")

    model_type: str = "qwen2"
    vocab_size: Count = 151936
    intermediate_size: Count = 22016
    num_key_value_heads: Count | None = 32

    @property
    def biased(self) -> tuple[str, ...]:
        """The linear layers of a block that have a bias."""
        return ("q_proj", "k_proj", "v_proj")


class Qwen3(GatedDecoder):
    """Qwen3: Llama's tensors, with norms on queries and keys and heads 128 wide."""

    model_types: ClassVar[tuple[str, ...]] = ("qwen3",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/qwen3"
    known: ClassVar[dict[str, Architecture]] = architectures_of("Qwen3")

    model_type: str = "qwen3"
    vocab_size: Count = 151936
    intermediate_size: Count = 22016
    num_key_value_heads: Count | None = 32
    head_dim: Count = 128
    attention_bias: bool = False

    @property
    def biased(self) -> tuple[str, ...]:
        """The linear layers of a block that have a bias."""
        return ("q_proj", "k_proj", "v_proj", "o_proj") if self.attention_bias else ()

    def _attention(self, at: str, block: Block) -> Iterator[Weight]:
        yield from super()._attention(at, block)
        yield from norm(f"{at}q_norm", self.head_width, bias=False)
        yield from norm(f"{at}k_norm", self.head_width, bias=False)
