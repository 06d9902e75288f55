"""BERT: encoder blocks with norms after their branches, and a head for every task.

Source: transformers' BertPreTrainedModel: https://huggingface.co/docs/transformers/model_doc/bert
"""

from collections.abc import Iterator
from typing import ClassVar

from service.catalogue.model_schemes.role import Role, StackName
from service.catalogue.models.blocks import Block, blocks, embedding, linear, norm, vector
from service.catalogue.models.config import Architecture, Count, Labelled, Layers, Padded, Std
from service.catalogue.weight import Weight
from service.errors import Problem


class Bert(Padded, Labelled):
    """BERT, also as a decoder: all weights normal with one std, the padding row zero."""

    model_types: ClassVar[tuple[str, ...]] = ("bert",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/bert"

    model_type: str = "bert"
    vocab_size: Count = 30522
    hidden_size: Count = 768
    num_hidden_layers: Layers = 12
    num_attention_heads: Count = 12
    intermediate_size: Count = 3072
    max_position_embeddings: Count = 512
    type_vocab_size: Count = 2
    pad_token_id: int | None = 0
    is_decoder: bool = False
    add_cross_attention: bool = False
    add_pooling_layer: bool = True
    tie_word_embeddings: bool = True
    initializer_range: Std = 0.02

    @property
    def _stack(self) -> StackName:
        return "decoder" if self.is_decoder else "encoder"

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        yield from super().contradictions()
        yield from self.not_divided("hidden_size", "num_attention_heads")
        if self.add_cross_attention and not self.is_decoder:
            yield Problem("/add_cross_attention", "add_cross_attention needs is_decoder to be true")

    def body(self, prefix: str) -> Iterator[Weight]:
        """Yield BertModel's tensors except the pooler."""
        yield from self._embeddings(f"{prefix}embeddings.")
        for index, block in blocks(self.num_hidden_layers, self._stack, self.num_attention_heads):
            yield from self._block(f"{prefix}encoder.layer.{index}.", block)

    def _embeddings(self, at: str) -> Iterator[Weight]:
        std, width = self.initializer_range or 0.02, self.hidden_size
        tokens = Role("embedding", stack=self._stack)
        positions = Role("position", stack=self._stack)
        words = (self.vocab_size, width)
        yield embedding(
            f"{at}word_embeddings.weight", words, std, tokens, padding=self.pad_token_id
        )
        places, types = (self.max_position_embeddings, width), (self.type_vocab_size, width)
        yield embedding(f"{at}position_embeddings.weight", places, std, positions)
        yield embedding(f"{at}token_type_embeddings.weight", types, std, tokens)
        yield from norm(f"{at}LayerNorm", width)

    def _block(self, at: str, block: Block) -> Iterator[Weight]:
        yield from self._attention(f"{at}attention.", block)
        if self.add_cross_attention:
            yield from self._attention(f"{at}crossattention.", block)
        width, inner = self.hidden_size, self.intermediate_size
        yield from self._linear(f"{at}intermediate.dense", inner, width, block.role("ffn_in"))
        yield from self._linear(f"{at}output.dense", width, inner, block.role("ffn_out"))
        yield from norm(f"{at}output.LayerNorm", width)

    def _attention(self, at: str, block: Block) -> Iterator[Weight]:
        width = self.hidden_size
        yield from self._linear(f"{at}self.query", width, width, block.role("query"))
        yield from self._linear(f"{at}self.key", width, width, block.role("key"))
        yield from self._linear(f"{at}self.value", width, width, block.role("value"))
        yield from self._linear(f"{at}output.dense", width, width, block.role("out"))
        yield from norm(f"{at}output.LayerNorm", width)

    def _linear(self, name: str, outs: int, ins: int, role: Role) -> Iterator[Weight]:
        return linear(name, (outs, ins), self.initializer_range or 0.02, role)

    def _head(self, name: str, outs: int) -> Iterator[Weight]:
        return self._linear(name, outs, self.hidden_size, Role("head", stack=self._stack))

    def _hidden(self, name: str) -> Iterator[Weight]:
        role = Role("hidden", stack=self._stack)
        return self._linear(name, self.hidden_size, self.hidden_size, role)

    def pooler(self, prefix: str) -> Iterator[Weight]:
        """Yield the layer over the first token."""
        yield from self._hidden(f"{prefix}pooler.dense")

    def own_pooler(self, prefix: str) -> Iterator[Weight]:
        """Yield the pooler of BertModel, unless it is built without one."""
        if self.add_pooling_layer:
            yield from self.pooler(prefix)

    def words(self, prefix: str) -> Iterator[Weight]:
        """Yield the head that predicts words; if tied, its matrix is the word table."""
        at = "cls.predictions."
        yield vector(f"{at}bias", self.vocab_size)
        yield from self._hidden(f"{at}transform.dense")
        yield from norm(f"{at}transform.LayerNorm", self.hidden_size)
        if not self.tie_word_embeddings:
            yield from self._head(f"{at}decoder", self.vocab_size)

    def next_sentence(self, prefix: str) -> Iterator[Weight]:
        """Yield the head that predicts whether one sentence follows the other."""
        yield from self._head("cls.seq_relationship", 2)

    def classifier(self, prefix: str) -> Iterator[Weight]:
        """Yield the classifier of a sequence or of a token."""
        yield from self._head("classifier", self.labels)

    def choice(self, prefix: str) -> Iterator[Weight]:
        """Yield the head that scores one of several choices."""
        yield from self._head("classifier", 1)

    def question(self, prefix: str) -> Iterator[Weight]:
        """Yield the head that finds the start and end of an answer; it has an output per label."""
        yield from self._head("qa_outputs", self.labels)

    known: ClassVar[dict[str, Architecture]] = {
        "BertForMaskedLM": Architecture("bert.", (body, words)),
        "BertModel": Architecture("", (body, own_pooler)),
        "BertLMHeadModel": Architecture("bert.", (body, words)),
        "BertForPreTraining": Architecture("bert.", (body, pooler, words, next_sentence)),
        "BertForNextSentencePrediction": Architecture("bert.", (body, pooler, next_sentence)),
        "BertForSequenceClassification": Architecture("bert.", (body, pooler, classifier)),
        "BertForMultipleChoice": Architecture("bert.", (body, pooler, choice)),
        "BertForTokenClassification": Architecture("bert.", (body, classifier)),
        "BertForQuestionAnswering": Architecture("bert.", (body, question)),
    }
