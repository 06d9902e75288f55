"""GPT-2: decoder blocks whose linear layers are stored transposed (Conv1D: in, out).

Source: transformers' GPT2PreTrainedModel: https://huggingface.co/docs/transformers/model_doc/gpt2
"""

import math
from collections.abc import Iterator
from typing import ClassVar

from pydantic import AliasChoices, Field

from service.catalogue.model_schemes.role import Role, RoleName
from service.catalogue.models.blocks import Block, blocks, embedding, linear, norm, vector
from service.catalogue.models.config import Architecture, Count, Labelled, Layers, Std
from service.catalogue.schemes import Normal
from service.catalogue.weight import Weight, parts, tensor
from service.errors import Problem

HEAD = Role("head")


class Gpt2(Labelled):
    """GPT-2 and models of its architecture: packed qkv, residual outputs scaled with depth."""

    model_types: ClassVar[tuple[str, ...]] = ("gpt2",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/gpt2"

    heads_make_shapes: ClassVar[bool] = False

    model_type: str = "gpt2"
    vocab_size: Count = 50257
    n_positions: Count = Field(
        1024, validation_alias=AliasChoices("max_position_embeddings", "n_positions")
    )
    n_embd: Count = Field(768, validation_alias=AliasChoices("hidden_size", "n_embd"))
    n_layer: Layers = Field(12, validation_alias=AliasChoices("num_hidden_layers", "n_layer"))
    n_head: Count = Field(12, validation_alias=AliasChoices("num_attention_heads", "n_head"))
    n_inner: Count | None = None
    add_cross_attention: bool = False
    tie_word_embeddings: bool = True
    summary_use_proj: bool = True
    summary_proj_to_labels: bool = True
    initializer_range: Std = 0.02

    @property
    def _std(self) -> float:
        """The std of linear layers and tables, where 0 means 0.02; Conv1D uses 0 as it is."""
        return self.initializer_range or 0.02

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        yield from self.not_divided("n_embd", "n_head")

    def body(self, prefix: str) -> Iterator[Weight]:
        """Yield GPT2Model's tensors."""
        width = self.n_embd
        tokens, positions = (self.vocab_size, width), (self.n_positions, width)
        yield embedding(f"{prefix}wte.weight", tokens, self._std, Role("embedding"))
        yield embedding(f"{prefix}wpe.weight", positions, self._std, Role("position"))
        for index, block in blocks(self.n_layer, "decoder", self.n_head):
            yield from self._block(f"{prefix}h.{index}.", block)
        yield from norm(f"{prefix}ln_f", width)

    def _block(self, at: str, block: Block) -> Iterator[Weight]:
        width, inner = self.n_embd, self.n_inner or 4 * self.n_embd
        yield from norm(f"{at}ln_1", width)
        yield from self._conv1d(f"{at}attn.c_attn", width, width, block, "query", "key", "value")
        yield from self._conv1d(f"{at}attn.c_proj", width, width, block, "out")
        if self.add_cross_attention:
            cross = f"{at}crossattention."
            yield from norm(f"{at}ln_cross_attn", width)
            yield from self._conv1d(f"{cross}c_attn", width, width, block, "key", "value")
            yield from self._conv1d(f"{cross}q_attn", width, width, block, "query")
            yield from self._conv1d(f"{cross}c_proj", width, width, block, "out")
        yield from norm(f"{at}ln_2", width)
        yield from self._conv1d(f"{at}mlp.c_fc", width, inner, block, "ffn_in")
        yield from self._conv1d(f"{at}mlp.c_proj", inner, width, block, "ffn_out")

    def _conv1d(
        self, name: str, ins: int, outs: int, block: Block, *packed: RoleName
    ) -> Iterator[Weight]:
        """Yield linear layers of ``outs`` outputs each, packed into one matrix of [in, out]."""
        std = self.initializer_range
        if name.endswith("c_proj"):
            std /= math.sqrt(2 * self.n_layer)
        law, shape = Normal(std=std), (ins, len(packed) * outs)
        roles = tuple(block.role(role) for role in packed)
        of = parts(1, [(outs, law)] * len(packed)) if len(packed) > 1 else None
        init = None if of else law
        yield Weight(tensor(f"{name}.weight", shape, init, layout="IO", parts=of), roles)
        yield vector(f"{name}.bias", shape[1])

    def lm_head(self, prefix: str) -> Iterator[Weight]:
        """Yield the language model's head, unless it is tied to the token table."""
        if not self.tie_word_embeddings:
            yield from self._head("lm_head", self.vocab_size, bias=False)

    def summary(self, prefix: str) -> Iterator[Weight]:
        """Yield the second head of GPT2DoubleHeadsModel, which always has one label."""
        if self.summary_use_proj:
            outs = 1 if self.summary_proj_to_labels else self.n_embd
            yield from self._head("multiple_choice_head.summary", outs)

    def score(self, prefix: str) -> Iterator[Weight]:
        """Yield the classifier of a sequence."""
        yield from self._head("score", self.labels, bias=False)

    def classifier(self, prefix: str) -> Iterator[Weight]:
        """Yield the classifier of a token."""
        yield from self._head("classifier", self.labels)

    def question(self, prefix: str) -> Iterator[Weight]:
        """Yield the head that finds the start and end of an answer."""
        yield from self._head("qa_outputs", 2)

    def _head(self, name: str, outs: int, *, bias: bool = True) -> Iterator[Weight]:
        return linear(name, (outs, self.n_embd), self._std, HEAD, bias=bias)

    known: ClassVar[dict[str, Architecture]] = {
        "GPT2LMHeadModel": Architecture("transformer.", (body, lm_head)),
        "GPT2Model": Architecture("", (body,)),
        "GPT2DoubleHeadsModel": Architecture("transformer.", (body, lm_head, summary)),
        "GPT2ForSequenceClassification": Architecture("transformer.", (body, score)),
        "GPT2ForTokenClassification": Architecture("transformer.", (body, classifier)),
        "GPT2ForQuestionAnswering": Architecture("transformer.", (body, question)),
    }
