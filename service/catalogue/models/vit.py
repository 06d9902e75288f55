"""Vision Transformer: an encoder of image patches.

Source: transformers' ViTPreTrainedModel: https://huggingface.co/docs/transformers/model_doc/vit
"""

from collections.abc import Iterator
from typing import ClassVar

from service.catalogue.model_schemes.role import Role
from service.catalogue.models.blocks import VECTOR, ZEROS, Block, blocks, linear, norm
from service.catalogue.models.config import Architecture, Count, Labelled, Layers, Pair, Std
from service.catalogue.schemes import TruncatedNormal
from service.catalogue.weight import Weight, tensor
from service.errors import Problem

HEAD = Role("head", stack="encoder")


class Vit(Labelled):
    """ViT: normal with one std; class token and positions truncated to values from -2 to 2."""

    model_types: ClassVar[tuple[str, ...]] = ("vit",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/vit"

    model_type: str = "vit"
    hidden_size: Count = 768
    num_hidden_layers: Layers = 12
    num_attention_heads: Count = 12
    intermediate_size: Count = 3072
    image_size: Pair = (224, 224)
    patch_size: Pair = (16, 16)
    num_channels: Count = 3
    qkv_bias: bool = True
    encoder_stride: Count = 16
    pooler_output_size: Count | None = None
    add_pooling_layer: bool = True
    use_mask_token: bool = False
    initializer_range: Std = 0.02

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        if not self.initializer_range:
            detail = "must be greater than 0: the truncation of the class token divides by it"
            yield Problem("/initializer_range", detail)
        if self.num_attention_heads > self.hidden_size:
            detail = f"must be at most hidden_size, {self.hidden_size}: every head needs a feature"
            yield Problem("/num_attention_heads", detail)

    def body(self, prefix: str) -> Iterator[Weight]:
        """Yield ViTModel's tensors except the pooler and the mask token."""
        yield from self._embeddings(f"{prefix}embeddings.")
        for index, block in blocks(self.num_hidden_layers, "encoder", self.num_attention_heads):
            yield from self._block(f"{prefix}encoder.layer.{index}.", block)
        yield from norm(f"{prefix}layernorm", self.hidden_size)

    def _embeddings(self, at: str) -> Iterator[Weight]:
        width, role = self.hidden_size, Role("input", stack="encoder")
        kernel = (width, self.num_channels, *self.patch_size)
        truncated = TruncatedNormal(
            std=self.initializer_range, bounds=(-2.0, 2.0), bounds_in="absolute"
        )
        down, across = (i // p for i, p in zip(self.image_size, self.patch_size, strict=True))
        positions = tensor(f"{at}position_embeddings", (1, down * across + 1, width), truncated)
        yield Weight(tensor(f"{at}cls_token", (1, 1, width), truncated), (VECTOR,))
        yield Weight(positions, (Role("position", stack="encoder"),))
        yield from linear(f"{at}patch_embeddings.projection", kernel, self.initializer_range, role)

    def _block(self, at: str, block: Block) -> Iterator[Weight]:
        width, inner, bias = self.hidden_size, self.intermediate_size, self.qkv_bias
        # If the heads do not divide the width, the remainder is left out.
        inside = width // self.num_attention_heads * self.num_attention_heads
        std, attention = self.initializer_range, f"{at}attention.attention."
        for name in ("query", "key", "value"):
            shape, role = (inside, width), block.role(name)
            yield from linear(attention + name, shape, std, role, bias=bias)
        out, ffn_in, ffn_out = block.role("out"), block.role("ffn_in"), block.role("ffn_out")
        yield from linear(f"{at}attention.output.dense", (width, inside), std, out)
        yield from linear(f"{at}intermediate.dense", (inner, width), std, ffn_in)
        yield from linear(f"{at}output.dense", (width, inner), std, ffn_out)
        yield from norm(f"{at}layernorm_before", width)
        yield from norm(f"{at}layernorm_after", width)

    def mask_token(self, prefix: str) -> Iterator[Weight]:
        """Yield the token that replaces a hidden patch."""
        token = tensor(f"{prefix}embeddings.mask_token", (1, 1, self.hidden_size), ZEROS)
        yield Weight(token, (VECTOR,))

    def extras(self, prefix: str) -> Iterator[Weight]:
        """Yield the optional pooler and mask token of ViTModel."""
        if self.use_mask_token:
            yield from self.mask_token(prefix)
        if self.add_pooling_layer:
            shape = (self.pooler_output_size or self.hidden_size, self.hidden_size)
            role = Role("hidden", stack="encoder")
            yield from linear(f"{prefix}pooler.dense", shape, self.initializer_range, role)

    def classifier(self, prefix: str) -> Iterator[Weight]:
        """Yield the classifier, if there are classes to distinguish."""
        if self.labels:
            shape = (self.labels, self.hidden_size)
            yield from linear("classifier", shape, self.initializer_range, HEAD)

    def pixels(self, prefix: str) -> Iterator[Weight]:
        """Yield the decoder that predicts the pixels of hidden patches."""
        outs = self.encoder_stride**2 * self.num_channels
        yield from linear("decoder.0", (outs, self.hidden_size, 1, 1), self.initializer_range, HEAD)

    known: ClassVar[dict[str, Architecture]] = {
        "ViTForImageClassification": Architecture("vit.", (body, classifier)),
        "ViTModel": Architecture("", (body, extras)),
        "ViTForMaskedImageModeling": Architecture("vit.", (body, mask_token, pixels)),
    }
