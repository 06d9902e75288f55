"""T5: an encoder and a decoder without biases; the std of each matrix follows from its fan.

Source: transformers' T5PreTrainedModel: https://huggingface.co/docs/transformers/model_doc/t5
"""

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import AliasChoices, Field

from service.catalogue.model_schemes.role import Role, StackName
from service.catalogue.models.blocks import Block, blocks, embedding, linear, normal, vector
from service.catalogue.models.config import Architecture, Count, Labelled, Layers, Std
from service.catalogue.schemes import Constant
from service.catalogue.weight import Weight


class T5(Labelled):
    """T5, T5 v1.1 and FLAN-T5: stds from initializer_factor and fans, norms at the factor."""

    model_types: ClassVar[tuple[str, ...]] = ("t5",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/t5"

    model_type: str = "t5"
    vocab_size: Count = 32128
    d_model: Count = Field(512, validation_alias=AliasChoices("hidden_size", "d_model"))
    d_kv: Count = Field(64, validation_alias=AliasChoices("head_dim", "d_kv"))
    d_ff: Count = 2048
    num_layers: Layers = Field(6, validation_alias=AliasChoices("num_hidden_layers", "num_layers"))
    num_decoder_layers: Layers | None = None
    num_heads: Count = Field(8, validation_alias=AliasChoices("num_attention_heads", "num_heads"))
    relative_attention_num_buckets: Count = 32
    feed_forward_proj: Annotated[str, Field(pattern="^(gated-)?[^-]+$")] = "relu"
    tie_word_embeddings: bool = True
    initializer_factor: Std = 1.0

    def _std_of(self, fan: int) -> float:
        return self.initializer_factor / math.sqrt(fan)

    def _norm(self, name: str) -> Weight:
        return vector(f"{name}.weight", self.d_model, Constant(value=self.initializer_factor))

    def shared(self, prefix: str) -> Iterator[Weight]:
        """Yield the token table."""
        shape = (self.vocab_size, self.d_model)
        name = f"{prefix}shared.weight"
        role = Role("embedding", stack="encoder")  # T-Fixup uses the encoder's depth
        yield embedding(name, shape, self.initializer_factor, role)

    def encoder(self, prefix: str) -> Iterator[Weight]:
        """Yield the encoder."""
        yield from self._stack(f"{prefix}encoder.", "encoder", self.num_layers)

    def decoder(self, prefix: str) -> Iterator[Weight]:
        """Yield the decoder."""
        layers = self.num_decoder_layers
        layers = self.num_layers if layers is None else layers
        yield from self._stack(f"{prefix}decoder.", "decoder", layers)

    def _stack(self, at: str, stack: StackName, layers: int) -> Iterator[Weight]:
        for index, block in blocks(layers, stack, self.num_heads):
            yield from self._block(f"{at}block.{index}.layer.", block)
        if layers:
            name = f"{at}block.0.layer.0.SelfAttention.relative_attention_bias.weight"
            shape = (self.relative_attention_num_buckets, self.num_heads)
            role = Role("position", stack=stack)
            yield embedding(name, shape, self._std_of(self.d_model), role)
        yield self._norm(f"{at}final_layer_norm")

    def _block(self, at: str, block: Block) -> Iterator[Weight]:
        names = ["SelfAttention", "DenseReluDense"]
        if block.stack == "decoder":
            names.insert(1, "EncDecAttention")
        for index, name in enumerate(names):
            branch = self._feed_forward if name == "DenseReluDense" else self._attention
            yield from branch(f"{at}{index}.{name}.", block)
            yield self._norm(f"{at}{index}.layer_norm")

    def _attention(self, at: str, block: Block) -> Iterator[Weight]:
        width, inner = self.d_model, self.num_heads * self.d_kv
        std = self._std_of(width)
        yield normal(
            f"{at}q.weight", (inner, width), self._std_of(width * self.d_kv), block.role("query")
        )
        yield normal(f"{at}k.weight", (inner, width), std, block.role("key"))
        yield normal(f"{at}v.weight", (inner, width), std, block.role("value"))
        yield normal(f"{at}o.weight", (width, inner), self._std_of(inner), block.role("out"))

    def _feed_forward(self, at: str, block: Block) -> Iterator[Weight]:
        width, inner = self.d_model, self.d_ff
        is_gated = self.feed_forward_proj.split("-")[0] == "gated"
        for name in ("wi_0", "wi_1") if is_gated else ("wi",):
            role = block.role("ffn_in")
            yield normal(f"{at}{name}.weight", (inner, width), self._std_of(width), role)
        yield normal(f"{at}wo.weight", (width, inner), self._std_of(inner), block.role("ffn_out"))

    def lm_head(self, prefix: str) -> Iterator[Weight]:
        """Yield the language model's head, unless it is tied to the token table."""
        if not self.tie_word_embeddings:
            shape = (self.vocab_size, self.d_model)
            yield normal("lm_head.weight", shape, self.initializer_factor, Role("head"))

    def sequence(self, prefix: str) -> Iterator[Weight]:
        """Yield the classifier of a sequence, which has two layers."""
        width, std = self.d_model, self._std_of(self.d_model)
        at = "classification_head."
        yield from linear(f"{at}dense", (width, width), std, Role("hidden"))
        yield from linear(f"{at}out_proj", (self.labels, width), std, Role("head"))

    def token(self, prefix: str) -> Iterator[Weight]:
        """Yield the classifier of a token."""
        shape, role = (self.labels, self.d_model), Role("head", stack="encoder")
        yield from linear("classifier", shape, self.initializer_factor, role)

    def question(self, prefix: str) -> Iterator[Weight]:
        """Yield the head that finds the start and end of an answer; it has an output per label."""
        shape = (self.labels, self.d_model)
        yield from linear("qa_outputs", shape, self._std_of(self.d_model), Role("head"))

    known: ClassVar[dict[str, Architecture]] = {
        "T5ForConditionalGeneration": Architecture("", (shared, encoder, decoder, lm_head)),
        "T5Model": Architecture("", (shared, encoder, decoder)),
        "T5EncoderModel": Architecture("", (shared, encoder)),
        "T5ForQuestionAnswering": Architecture("", (shared, encoder, decoder, question)),
        "T5ForSequenceClassification": Architecture(
            "transformer.", (shared, encoder, decoder, sequence)
        ),
        "T5ForTokenClassification": Architecture("transformer.", (shared, encoder, token)),
    }
