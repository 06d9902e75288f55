"""CLIP: a tower for text and one for images, projected to one width.

Source: transformers' CLIPPreTrainedModel: https://huggingface.co/docs/transformers/model_doc/clip
"""

import math
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import AliasChoices, Field, model_validator

from service.catalogue.model_schemes.role import Role
from service.catalogue.models.blocks import VECTOR, Block, blocks, embedding, linear, norm, normal
from service.catalogue.models.config import Architecture, Config, Count, Labelled, Layers, Std
from service.catalogue.schemes import Constant
from service.catalogue.weight import Weight, tensor
from service.errors import Problem

HEAD = Role("head", stack="encoder")
POSITION = Role("position", stack="encoder")


class Tower(Config):
    """The base of both towers: encoder blocks whose stds follow from width and depth."""

    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/clip"

    hidden_size: Count
    intermediate_size: Count
    num_hidden_layers: Layers
    num_attention_heads: Count
    projection_dim: Count = 512
    initializer_factor: Std = 1.0

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        yield from self.not_divided("hidden_size", "num_attention_heads")

    def _std_of(self, fan: int) -> float:
        return self.initializer_factor / math.sqrt(fan)

    def _layers(self, prefix: str) -> Iterator[Weight]:
        for index, block in blocks(self.num_hidden_layers, "encoder", self.num_attention_heads):
            yield from self._block(f"{prefix}encoder.layers.{index}.", block)

    def _block(self, at: str, block: Block) -> Iterator[Weight]:
        width, inner = self.hidden_size, self.intermediate_size
        deep_std = self._std_of(2 * self.num_hidden_layers * width)
        attention, square = f"{at}self_attn.", (width, width)
        yield from linear(f"{attention}q_proj", square, deep_std, block.role("query"))
        yield from linear(f"{attention}k_proj", square, deep_std, block.role("key"))
        yield from linear(f"{attention}v_proj", square, deep_std, block.role("value"))
        yield from linear(f"{attention}out_proj", square, self._std_of(width), block.role("out"))
        wide_std = self._std_of(2 * width)
        yield from linear(f"{at}mlp.fc1", (inner, width), wide_std, block.role("ffn_in"))
        yield from linear(f"{at}mlp.fc2", (width, inner), deep_std, block.role("ffn_out"))
        yield from norm(f"{at}layer_norm1", width)
        yield from norm(f"{at}layer_norm2", width)

    def projection_of(self, name: str, size: int, factor: float) -> Iterator[Weight]:
        """Yield the projection of the tower's output.

        Args:
            name: Name of the layer.
            size: Output features.
            factor: Factor on its std.
        """
        shape = (size, self.hidden_size)
        yield normal(f"{name}.weight", shape, factor / math.sqrt(self.hidden_size), HEAD)


class ClipText(Tower):
    """CLIP's tower for text: tables with std 0.02 times factor, whatever initializer_range."""

    model_types: ClassVar[tuple[str, ...]] = ("clip_text_model",)

    model_type: str = "clip_text_model"
    vocab_size: Count = 49408
    max_position_embeddings: Count = 77
    hidden_size: Count = 512
    intermediate_size: Count = 2048
    num_hidden_layers: Layers = 12
    num_attention_heads: Count = 8

    def body(self, prefix: str) -> Iterator[Weight]:
        """Yield CLIPTextModel's tensors."""
        at, std, width = f"{prefix}embeddings.", 0.02 * self.initializer_factor, self.hidden_size
        tokens, places = (self.vocab_size, width), (self.max_position_embeddings, width)
        role = Role("embedding", stack="encoder")
        yield embedding(f"{at}token_embedding.weight", tokens, std, role)
        yield embedding(f"{at}position_embedding.weight", places, std, POSITION)
        yield from self._layers(prefix)
        yield from norm(f"{prefix}final_layer_norm", width)

    def projection(self, prefix: str) -> Iterator[Weight]:
        """Yield the projection of CLIPTextModelWithProjection."""
        yield from self.projection_of(
            "text_projection", self.projection_dim, self.initializer_factor
        )

    known: ClassVar[dict[str, Architecture]] = {
        "CLIPTextModel": Architecture("", (body,)),
        "CLIPTextModelWithProjection": Architecture("text_model.", (body, projection)),
    }


class ClipVision(Tower):
    """CLIP's tower for images: patches and positions with std initializer_range times factor."""

    model_types: ClassVar[tuple[str, ...]] = ("clip_vision_model",)

    model_type: str = "clip_vision_model"
    hidden_size: Count = 768
    intermediate_size: Count = 3072
    num_hidden_layers: Layers = 12
    num_attention_heads: Count = 12
    num_channels: Count = 3
    image_size: Count = 224
    patch_size: Count = 32
    initializer_range: Std = 0.02

    def body(self, prefix: str) -> Iterator[Weight]:
        """Yield CLIPVisionModel's tensors."""
        at, width, patch = f"{prefix}embeddings.", self.hidden_size, self.patch_size
        std = self.initializer_range * self.initializer_factor
        token, kernel = f"{at}class_embedding", (width, self.num_channels, patch, patch)
        places = ((self.image_size // patch) ** 2 + 1, width)
        role = Role("input", stack="encoder")
        yield normal(token, (width,), self._std_of(width), VECTOR)
        yield normal(f"{at}patch_embedding.weight", kernel, std, role)
        yield embedding(f"{at}position_embedding.weight", places, std, POSITION)
        yield from norm(f"{prefix}pre_layrnorm", width)
        yield from self._layers(prefix)
        yield from norm(f"{prefix}post_layernorm", width)

    def projection(self, prefix: str) -> Iterator[Weight]:
        """Yield the projection of CLIPVisionModelWithProjection."""
        yield from self.projection_of(
            "visual_projection", self.projection_dim, self.initializer_factor
        )

    known: ClassVar[dict[str, Architecture]] = {
        "CLIPVisionModel": Architecture("", (body,)),
        "CLIPVisionModelWithProjection": Architecture("vision_model.", (body, projection)),
    }


class Clip(Labelled):
    """CLIP: both towers with projections to one width, and the scale of their similarities."""

    model_types: ClassVar[tuple[str, ...]] = ("clip",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/clip"

    model_type: str = "clip"
    text_config: ClipText = Field(
        ClipText(),
        validation_alias=AliasChoices("text_config_dict", "text_config"),
        description="a clip_text_model's config",
    )
    vision_config: ClipVision = Field(
        ClipVision(),
        validation_alias=AliasChoices("vision_config_dict", "vision_config"),
        description="a clip_vision_model's config",
    )
    projection_dim: Count = 512
    logit_scale_init_value: float = 2.6592
    initializer_factor: Std = 1.0

    @model_validator(mode="before")
    @classmethod
    def _without_null_towers(cls, config: dict[str, Any]) -> dict[str, Any]:
        names = {f"{tower}_config{end}" for tower in ("text", "vision") for end in ("", "_dict")}
        return {k: value for k, value in config.items() if value is not None or k not in names}

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        for name, tower in (("text", self.text_config), ("vision", self.vision_config)):
            for problem in tower.contradictions():
                yield Problem(f"/{name}_config{problem.pointer}", problem.detail)

    def text(self, prefix: str) -> Iterator[Weight]:
        """Yield the tower for text."""
        yield from self.text_config.body("text_model.")

    def vision(self, prefix: str) -> Iterator[Weight]:
        """Yield the tower for images."""
        yield from self.vision_config.body("vision_model.")

    def joint(self, prefix: str) -> Iterator[Weight]:
        """Yield the tensors that join the towers."""
        size, factor = self.projection_dim, self.initializer_factor
        yield from self.text_config.projection_of("text_projection", size, factor)
        yield from self.vision_config.projection_of("visual_projection", size, factor)
        scale = Constant(value=self.logit_scale_init_value)
        yield Weight(tensor("logit_scale", (), scale), (VECTOR,))

    def classifier(self, prefix: str) -> Iterator[Weight]:
        """Yield the classifier of images."""
        width = self.vision_config.hidden_size
        if self.labels:
            std = self.initializer_factor / math.sqrt(width)
            yield from linear("classifier", (self.labels, width), std, HEAD)

    known: ClassVar[dict[str, Architecture]] = {
        "CLIPModel": Architecture("", (text, vision, joint)),
        "CLIPForImageClassification": Architecture("", (vision, classifier)),
    }
