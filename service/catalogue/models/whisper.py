"""Whisper: an audio encoder with fixed positions, and a text decoder.

Source: transformers' WhisperPreTrainedModel:
https://huggingface.co/docs/transformers/model_doc/whisper
"""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import AliasChoices, Field

from service.catalogue.model_schemes.role import Role
from service.catalogue.models.blocks import Block, blocks, embedding, linear, norm, normal, vector
from service.catalogue.models.config import Architecture, Count, Labelled, Layers, Padded, Std
from service.catalogue.schemes import Constant, Sinusoidal
from service.catalogue.weight import Weight, tensor
from service.errors import Problem


class Whisper(Padded, Labelled):
    """Whisper: normal with one std; sinusoidal positions in the encoder; no bias on keys."""

    model_types: ClassVar[tuple[str, ...]] = ("whisper",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/whisper"

    model_type: str = "whisper"
    vocab_size: Count = 51865
    num_mel_bins: Count = 80
    d_model: Count = Field(384, validation_alias=AliasChoices("hidden_size", "d_model"))
    encoder_layers: Layers = Field(
        4, validation_alias=AliasChoices("num_hidden_layers", "encoder_layers")
    )
    decoder_layers: Layers = 4
    encoder_attention_heads: Count = Field(
        6,
        validation_alias=AliasChoices(
            "num_attention_heads", "num_key_value_heads", "encoder_attention_heads"
        ),
    )
    decoder_attention_heads: Count = 6
    encoder_ffn_dim: Count = 1536
    decoder_ffn_dim: Count = 1536
    max_source_positions: Count = 1500
    max_target_positions: Count = 448
    pad_token_id: int | None = 50256
    tie_word_embeddings: bool = True
    classifier_proj_size: Count = 256
    use_weighted_layer_sum: bool = False
    init_std: Std = 0.02
    initializer_range: Std | None = None

    @property
    def _std(self) -> float:
        """``initializer_range`` if the config has it, else ``init_std``."""
        if self.initializer_range is None:
            return self.init_std
        return self.initializer_range or 0.02

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        yield from super().contradictions()
        yield from self.not_divided("d_model", "encoder_attention_heads")
        yield from self.not_divided("d_model", "decoder_attention_heads")
        if self.d_model % 2 or self.d_model < 4:
            yield self.problem("d_model", "must be even and at least 4, for sinusoidal positions")

    def encoder(self, prefix: str) -> Iterator[Weight]:
        """Yield the encoder."""
        at, width, role = f"{prefix}encoder.", self.d_model, Role("input", stack="encoder")
        yield from linear(f"{at}conv1", (width, self.num_mel_bins, 3), self._std, role)
        yield from linear(f"{at}conv2", (width, width, 3), self._std, role)
        places = (self.max_source_positions, width)
        # Never trained, so it has no role.
        yield Weight(tensor(f"{at}embed_positions.weight", places, Sinusoidal()))
        heads = self.encoder_attention_heads
        for index, block in blocks(self.encoder_layers, "encoder", heads):
            yield from self._block(f"{at}layers.{index}.", block, self.encoder_ffn_dim)
        yield from norm(f"{at}layer_norm", width)

    def decoder(self, prefix: str) -> Iterator[Weight]:
        """Yield the decoder."""
        at, width, pad = f"{prefix}decoder.", self.d_model, self.pad_token_id
        tokens, places = (self.vocab_size, width), (self.max_target_positions, width)
        name, role = f"{at}embed_tokens.weight", Role("embedding")
        yield embedding(name, tokens, self._std, role, padding=pad)
        yield embedding(f"{at}embed_positions.weight", places, self._std, Role("position"))
        heads = self.decoder_attention_heads
        for index, block in blocks(self.decoder_layers, "decoder", heads):
            yield from self._block(f"{at}layers.{index}.", block, self.decoder_ffn_dim)
        yield from norm(f"{at}layer_norm", width)

    def _block(self, at: str, block: Block, inner: int) -> Iterator[Weight]:
        width, std = self.d_model, self._std
        yield from self._attention(f"{at}self_attn", block)
        if block.stack == "decoder":
            yield from self._attention(f"{at}encoder_attn", block)
        yield from linear(f"{at}fc1", (inner, width), std, block.role("ffn_in"))
        yield from linear(f"{at}fc2", (width, inner), std, block.role("ffn_out"))
        yield from norm(f"{at}final_layer_norm", width)

    def _attention(self, at: str, block: Block) -> Iterator[Weight]:
        shape, std = (self.d_model, self.d_model), self._std
        yield from linear(f"{at}.q_proj", shape, std, block.role("query"))
        yield from linear(f"{at}.k_proj", shape, std, block.role("key"), bias=False)
        yield from linear(f"{at}.v_proj", shape, std, block.role("value"))
        yield from linear(f"{at}.out_proj", shape, std, block.role("out"))
        yield from norm(f"{at}_layer_norm", self.d_model)

    def proj_out(self, prefix: str) -> Iterator[Weight]:
        """Yield the language model's head, unless it is tied to the token table."""
        if not self.tie_word_embeddings:
            shape = (self.vocab_size, self.d_model)
            yield normal("proj_out.weight", shape, self._std, Role("head"))

    def classifier(self, prefix: str) -> Iterator[Weight]:
        """Yield the audio classifier, with a weight for every layer if layers are summed."""
        inner = self.classifier_proj_size
        hidden, head = Role("hidden", stack="encoder"), Role("head", stack="encoder")
        yield from linear("projector", (inner, self.d_model), self._std, hidden)
        yield from linear("classifier", (self.labels, inner), self._std, head)
        if self.use_weighted_layer_sum:
            layers = self.encoder_layers + 1
            yield vector("layer_weights", layers, Constant(value=1 / layers))

    known: ClassVar[dict[str, Architecture]] = {
        "WhisperForConditionalGeneration": Architecture("model.", (encoder, decoder, proj_out)),
        "WhisperModel": Architecture("", (encoder, decoder)),
        "WhisperForCausalLM": Architecture("model.", (decoder, proj_out)),
        "WhisperForAudioClassification": Architecture("", (encoder, classifier)),
    }
