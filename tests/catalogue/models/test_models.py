"""Handwritten configs: the fields that are read, errors, and special cases of each family."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from service.catalogue import listing
from service.catalogue.models import config_of, model_of
from service.catalogue.models.presets import presets
from service.catalogue.weight import Weight
from service.errors import ModelError
from tests.catalogue.models.support import model_recipe, rows_of
from tests.support import data_of, plan_of, problems_of

GPT2 = {"model_type": "gpt2", "n_embd": 8, "n_head": 2, "n_layer": 1, "vocab_size": 10}
GPT2 |= {"n_positions": 4}
SIZES = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}
SIZES |= {"intermediate_size": 16, "vocab_size": 10}
LLAMA = SIZES | {"model_type": "llama"}
MISTRAL = SIZES | {"model_type": "mistral"}
BERT = SIZES | {"model_type": "bert", "max_position_embeddings": 4}
VIT = SIZES | {"model_type": "vit", "image_size": 8, "patch_size": 4}
T5 = {"model_type": "t5", "d_model": 8, "d_kv": 4, "num_heads": 2, "d_ff": 16, "num_layers": 1}
T5 |= {"vocab_size": 10}
WHISPER = {"model_type": "whisper", "d_model": 12, "vocab_size": 10, "pad_token_id": 3}
CLIP = {"model_type": "clip", "text_config": SIZES, "vision_config": SIZES}
RESNET = {"model_type": "resnet", "architectures": ["ResNet"], "layer_type": "basic"}


def weights_of(config: Mapping[str, Any]) -> dict[str, Weight]:
    return {weight.tensor.name: weight for weight in model_of(config).weights()}


def shape_of(config: Mapping[str, Any], name: str) -> tuple[int, ...]:
    return weights_of(config)[name].tensor.shape


def refusal(config: Mapping[str, Any]) -> dict[str, str]:
    with pytest.raises(ModelError) as caught:
        list(model_of(config).weights())
    return {problem.pointer: problem.detail for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("config", "pointer", "words"),
    [
        ({}, "", "gpt2, llama"),
        ({"model_type": 3}, "/model_type", "known are"),
        ({"model_type": "lama"}, "/model_type", "did you mean llama?"),
        ({"model_type": "gpt3" * 100}, "/model_type", "…"),
        ({"preset": "gpt2-xxl"}, "/preset", "did you mean gpt2-xl?"),
        ({"preset": None}, "/preset", "resnet50"),
        (GPT2 | {"architectures": ["GPT3"]}, "/architectures/0", "GPT2LMHeadModel"),
        (GPT2 | {"architectures": "GPT2Model"}, "/architectures", "tuple"),
        (GPT2 | {"architectures": [None]}, "/architectures/0", "string"),
        (GPT2 | {"n_embd": 7}, "/n_head", "2 does not divide n_embd, 7"),
        (GPT2 | {"n_embd": "8"}, "/n_embd", "integer"),
        (GPT2 | {"n_embd": True}, "/n_embd", "integer"),
        (GPT2 | {"n_embd": 0}, "/n_embd", "greater than or equal to 1"),
        (GPT2 | {"hidden_size": 0}, "/hidden_size", "greater than or equal to 1"),
        (
            GPT2 | {"num_attention_heads": 3, "hidden_size": 7},
            "/num_attention_heads",
            "hidden_size",
        ),
        (WHISPER | {"hidden_size": 2, "num_attention_heads": 1}, "/hidden_size", "even"),
        (GPT2 | {"n_layer": 10_001}, "/n_layer", "10000"),
        (GPT2 | {"n_layer": None}, "/n_layer", "integer"),
        (GPT2 | {"initializer_range": -1.0}, "/initializer_range", "greater than or equal to 0"),
        (GPT2 | {"tie_word_embeddings": "no"}, "/tie_word_embeddings", "boolean"),
        (GPT2 | {"num_labels": -1}, "/num_labels", "greater than or equal to 0"),
        (LLAMA | {"initializer_range": 1.5}, "/initializer_range", "less than or equal to 1"),
        (LLAMA | {"hidden_size": 9}, "/num_attention_heads", "2 does not divide hidden_size, 9"),
        (LLAMA | {"pad_token_id": 10}, "/pad_token_id", "at most 9"),
        (LLAMA | {"pad_token_id": -11}, "/pad_token_id", "vocab_size, 10"),
        (MISTRAL | {"num_key_value_heads": None}, "/num_key_value_heads", "integer"),
        (MISTRAL | {"num_attention_heads": 9}, "/num_attention_heads", "hidden_size, 8"),
        (BERT | {"add_cross_attention": True}, "/add_cross_attention", "is_decoder"),
        (BERT | {"hidden_size": 9}, "/num_attention_heads", "divide"),
        (VIT | {"patch_size": [4]}, "/patch_size", "[height, width]"),
        (VIT | {"patch_size": [4, 0]}, "/patch_size", "an integer from 1"),
        (VIT | {"image_size": 8.5}, "/image_size", "[height, width]"),
        (VIT | {"initializer_range": 0.0}, "/initializer_range", "divides by it"),
        (VIT | {"num_attention_heads": 9}, "/num_attention_heads", "hidden_size, 8"),
        (T5 | {"feed_forward_proj": "half-gelu"}, "/feed_forward_proj", "pattern"),
        (WHISPER | {"d_model": 13}, "/d_model", "even"),
        (WHISPER | {"pad_token_id": 50256}, "/pad_token_id", "at most 9"),
        (WHISPER | {"decoder_attention_heads": 5}, "/decoder_attention_heads", "divide"),
        (CLIP | {"text_config": {"hidden_size": 9}}, "/text_config/num_attention_heads", "divide"),
        (CLIP | {"vision_config": {"patch_size": 0}}, "/vision_config/patch_size", "equal to 1"),
        (CLIP | {"vision_config": 3}, "/vision_config", "an object is expected"),
        (RESNET | {"depths": [1, 1]}, "/depths", "has 4"),
        (RESNET | {"hidden_sizes": []}, "/hidden_sizes", "at least 1"),
        (RESNET | {"depths": []}, "/depths", "at least 1"),
        (RESNET | {"depths": [1, 1, 1, 10_000]}, "/depths", "10000"),
        (RESNET | {"hidden_sizes": [8, 8, 8]}, "/hidden_sizes", "3 sizes for 4 depths"),
        (RESNET | {"hidden_sizes": [8, 8, 8.0, True]}, "/hidden_sizes/2", "integer"),
        (RESNET | {"layer_type": "wide"}, "/layer_type", "'basic' or 'bottleneck'"),
        (
            RESNET | {"layer_type": "bottleneck", "hidden_sizes": [3, 8, 8, 8]},
            "/hidden_sizes",
            "at least 4",
        ),
    ],
)
def test_bad_config_is_accepted_or_not_explained(
    config: dict[str, Any], pointer: str, words: str
) -> None:
    problems = refusal(config)
    assert words in problems[pointer]
    assert problems_of(model_recipe(config))[f"/model{pointer}"] == problems[pointer]


def test_unknown_field_or_null_architecture_is_refused() -> None:
    extra = {"architectures": None, "torch_dtype": "bfloat16", "dtype": "float16", "n_ctx": "x"}
    assert weights_of(GPT2 | extra) == weights_of(GPT2)
    assert {row["dtype"] for row in rows_of(GPT2 | extra).values()} == {"F32"}


def test_alias_loses_to_the_native_key() -> None:
    assert shape_of(GPT2 | {"hidden_size": 16}, "transformer.wte.weight") == (10, 16)
    assert shape_of({"hidden_size": 16} | GPT2, "transformer.wte.weight") == (10, 16)
    assert shape_of(GPT2 | {"max_position_embeddings": 3}, "transformer.wpe.weight") == (3, 8)
    t5 = T5 | {"hidden_size": 6, "head_dim": 5, "num_attention_heads": 3, "num_hidden_layers": 2}
    assert shape_of(t5, "encoder.block.1.layer.0.SelfAttention.q.weight") == (15, 6)
    whisper = weights_of(WHISPER | {"num_hidden_layers": 1, "num_attention_heads": 3})
    assert "model.encoder.layers.1.fc1.weight" not in whisper
    assert "model.decoder.layers.3.fc1.weight" in whisper
    assert whisper["model.encoder.layers.0.self_attn.out_proj.weight"].roles[0].heads == 3


def test_labels_are_counted_otherwise() -> None:
    config = GPT2 | {"architectures": ["GPT2ForSequenceClassification"]}
    named = {"id2label": {str(index): "x" for index in range(3)}}
    assert shape_of(config, "score.weight") == (2, 8)
    assert shape_of(config | named, "score.weight") == (3, 8)
    assert shape_of(config | named | {"num_labels": 5}, "score.weight") == (5, 8)
    assert "classifier.weight" not in weights_of(VIT | {"id2label": {}})
    assert shape_of(RESNET, "fc.weight") == (1000, 512)


def test_preset_cannot_be_changed() -> None:
    assert config_of({"preset": "gpt2", "n_layer": 1}) == presets()["gpt2"] | {"n_layer": 1}
    assert presets()["gpt2"].get("n_layer") == 12
    small = {"preset": "gpt2", "num_hidden_layers": 1, "architectures": ["GPT2Model"]}
    assert "h.0.ln_1.weight" in weights_of(small)
    assert "h.1.ln_1.weight" not in weights_of(small)
    assert shape_of({"preset": "resnet18", "num_labels": 10}, "fc.bias") == (10,)
    assert json.dumps(presets())


@pytest.mark.parametrize("pad", [0, 4, 9, -1])
@pytest.mark.parametrize("config", [LLAMA, BERT, WHISPER], ids=lambda c: c["model_type"])
def test_padding_row_is_not_zero_or_moves_the_others(config: dict[str, Any], pad: int) -> None:
    table = next(n for n in weights_of(config) if "embed_tokens" in n or "word_embed" in n)
    drawn = {}
    for padding in (pad, None):
        recipe = model_recipe(config | {"pad_token_id": padding}, include=[table])
        drawn[padding] = np.frombuffer(data_of(recipe), "<f4").reshape(10, -1)
    assert not drawn[pad][pad].any()
    kept = np.arange(10) != pad % 10
    assert np.array_equal(drawn[pad][kept], drawn[None][kept])
    assert drawn[None].all()


def test_untied_head_has_a_padding_row() -> None:
    rows = rows_of(LLAMA | {"pad_token_id": 3})
    assert rows["model.embed_tokens.weight"]["scheme"] == "parts"
    assert rows["lm_head.weight"]["std"] == 0.02


@pytest.mark.parametrize(
    ("config", "head", "is_tied"),
    [
        (GPT2, "lm_head.weight", True),
        (LLAMA, "lm_head.weight", False),
        (BERT, "cls.predictions.decoder.weight", True),
        (T5, "lm_head.weight", True),
        (WHISPER, "proj_out.weight", True),
    ],
)
def test_head_is_tied_otherwise(config: dict[str, Any], head: str, is_tied: bool) -> None:
    assert (head in weights_of(config)) is not is_tied
    assert (head in weights_of(config | {"tie_word_embeddings": is_tied})) is not is_tied
    assert (head in weights_of(config | {"tie_word_embeddings": not is_tied})) is is_tied


def test_zero_range_is_read_otherwise() -> None:
    for config in (LLAMA, BERT):
        rows = rows_of(config | {"initializer_range": 0})
        assert {row["std"] for row in rows.values()} - {0.0} <= {0.02, rows_std(rows)}
    gpt2 = rows_of(GPT2 | {"initializer_range": 0.0})
    assert gpt2["transformer.wte.weight"]["std"] == 0.02
    assert gpt2["transformer.h.0.attn.c_attn.weight"]["std"] == 0
    assert rows_of(WHISPER | {"init_std": 0})["model.encoder.conv1.weight"]["std"] == 0
    stray = rows_of(WHISPER | {"init_std": 0.5, "initializer_range": 0.25})
    assert stray["model.encoder.conv1.weight"]["std"] == 0.25


def rows_std(rows: dict[str, Any]) -> float:
    """Return the std of a table with a zero row, if there is one."""
    return next((row["std"] for row in rows.values() if row["scheme"] == "parts"), 0.0)


def test_tower_in_a_dict_or_null_is_not_read() -> None:
    wide = CLIP | {"text_config_dict": {"hidden_size": 24, "num_attention_heads": 2}}
    name = "text_model.embeddings.position_embedding.weight"
    assert shape_of(wide, name) == (77, 24)
    assert shape_of(CLIP | {"text_config_dict": None}, name) == (77, 8)
    assert shape_of(CLIP | {"text_config": None}, name) == (77, 512)


def test_packed_matrix_has_the_fans_of_three() -> None:
    recipe = model_recipe(GPT2, rules=[{"match": "*c_fc.weight", "init": "xavier_normal"}])
    rows = {row.name: row for row in plan_of(recipe).tensors}
    qkv = rows["transformer.h.0.attn.c_attn.weight"].source.regions
    assert [region.geometry.fans.fan_out for region in qkv] == [8, 8, 8]
    fans = rows["transformer.h.0.mlp.c_fc.weight"].source.regions[0].geometry.fans
    assert (fans.fan_in, fans.fan_out) == (8, 32)
    roles = weights_of(GPT2)["transformer.h.0.attn.c_attn.weight"].roles
    assert [role.name for role in roles] == ["query", "key", "value"]


@pytest.mark.parametrize("name", list(presets()))
def test_role_is_missing_or_out_of_place(name: str) -> None:
    weights = weights_of({"preset": name}).values()
    named = {role.name for weight in weights for role in weight.roles}
    assert named >= ({"conv", "head"} if name.startswith("resnet") else {"out", "ffn_out"})
    for weight in weights:
        parts = weight.tensor.parts.of if weight.tensor.parts else [weight.tensor]
        fixed = ("running", "tracked", "encoder.embed_positions")
        is_fixed = any(word in weight.tensor.name for word in fixed)
        assert len(weight.roles) == (0 if is_fixed else len(parts))
        for role in weight.roles:
            assert role.place <= role.of
            assert (role.of > 0) <= (role.depth > 0)
            assert (role.name == "out") == (role.heads > 0)


def test_catalogue_leaves_something_out() -> None:
    entries = listing.models()
    assert json.loads(json.dumps(entries)) == entries
    assert sum(len(entry["presets"]) for entry in entries) == len(presets())
    for entry in entries:
        assert entry["summary"].endswith(".")
        assert entry["source"].startswith("https://")
    gpt2 = entries[0]["fields"]
    assert gpt2["n_embd"]["default"] == 768
    assert gpt2["n_embd"]["aliases"] == ["hidden_size"]


def test_absurd_size_takes_long_or_is_planned() -> None:
    huge = GPT2 | {"n_embd": 2**31 - 2, "n_layer": 10_000}
    assert next(iter(model_of(huge).weights())).tensor.shape == (10, 2**31 - 2)
    assert "2^63" in problems_of(model_recipe(huge | {"n_layer": 1}))["/model"]
    many = problems_of(model_recipe(GPT2 | {"n_layer": 10_000}), max_tensors=1000)
    assert "max_tensors" in next(iter(many.values()))
