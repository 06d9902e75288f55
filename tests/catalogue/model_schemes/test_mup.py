"""muP: a wide model's stds follow from the narrow one's, and its forward pass has multipliers."""

from typing import Any

import pytest
from mpmath import mpf

from service.catalogue.schemes import (
    Kaiming,
    Normal,
    Scheme,
    Uniform,
    VarianceScaling,
    Xavier,
    Zeros,
)
from tests.catalogue.model_schemes.support import inits_of, linear, over_layers, over_model, root
from tests.support import plan_of, problems_of

LLAMA_BASE = {"hidden_size": 16, "intermediate_size": 32}


def mup(**members: Any) -> dict[str, Any]:
    return {"scheme": "mup", **members}


@pytest.mark.parametrize("own", [0.02, 0.03])
def test_llama(own: float) -> None:
    inits = inits_of(over_model(mup(base=LLAMA_BASE), "llama", initializer_range=own))
    narrow = Normal(std=float(mpf(own) / root(4)))
    for layer in ("q", "k", "v", "o"):
        assert inits[f"model.layers.1.self_attn.{layer}_proj.weight"] == narrow
    for layer in ("gate", "up", "down"):
        assert inits[f"model.layers.1.mlp.{layer}_proj.weight"] == narrow
    assert inits["lm_head.weight"] == inits["model.embed_tokens.weight"] == Normal(std=own)
    plan = plan_of(over_model(mup(base=LLAMA_BASE), "llama"))
    assert plan.forward == {"readout_multiplier": 0.25, "attention_multiplier": 2 / 16}


def test_each_fan_has_its_own_multiplier() -> None:
    inits = inits_of(over_model(mup(base={"intermediate_size": 32}), "llama"))
    assert inits["model.layers.0.mlp.down_proj.weight"] == Normal(std=float(mpf(0.02) / root(4)))
    assert inits["model.layers.0.mlp.up_proj.weight"] == Normal(std=0.02)


def test_model_as_wide_as_its_base_is_its_own() -> None:
    recipe = over_model(mup(base={"hidden_size": 64}), "llama")
    plan = plan_of(recipe)
    bare = inits_of({key: value for key, value in recipe.items() if key != "model_scheme"})
    assert inits_of(recipe) == bare
    assert plan.forward == {"readout_multiplier": 1.0, "attention_multiplier": 0.25}


def test_packed_projection_and_tied_head() -> None:
    inits = inits_of(over_model(mup(base={"hidden_size": 16}), "gpt2"))
    for part in range(3):
        name = f"transformer.h.0.attn.c_attn.weight[{part}]"
        assert inits[name] == Normal(std=float(mpf(0.02) / 2))
    assert inits["transformer.wte.weight"] == inits["transformer.wpe.weight"] == Normal(std=0.02)
    assert "lm_head.weight" not in inits
    plan = plan_of(over_model(mup(base={"hidden_size": 16}), "gpt2"))
    assert plan.forward == {"readout_multiplier": 0.25, "attention_multiplier": 0.125}


def test_stds_that_the_family_takes_from_widths_are_not_shrunk_twice() -> None:
    """T5's are d^(-1/2) already; its tables are held at the base's."""
    wide = inits_of(over_model(mup(base={"d_model": 128}), "t5"))
    own = inits_of(over_model("skipinit", "t5"))
    for name in ("SelfAttention.k", "SelfAttention.q", "SelfAttention.o"):
        at = f"encoder.block.1.layer.0.{name}.weight"
        assert _std(wide[at]) == pytest.approx(_std(own[at]), rel=1e-15)
    bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    assert _std(wide[bias]) == pytest.approx(128**-0.5)


def _std(init: Scheme) -> float:
    assert isinstance(init, Normal)
    return init.std


def test_convolutions_and_classifier() -> None:
    model = {
        "model_type": "resnet",
        "layer_type": "basic",
        "depths": [1, 1],
        "embedding_size": 32,
        "hidden_sizes": [32, 64],
    }
    base = {"embedding_size": 8, "hidden_sizes": [8, 16]}
    inits = inits_of({"seed": 1, "model": model, "model_scheme": mup(base=base)})
    stem = inits["resnet.embedder.embedder.convolution.weight"]
    assert stem == VarianceScaling(8.0, "fan_out", "normal")
    hidden = inits["resnet.encoder.stages.0.layers.0.layer.0.convolution.weight"]
    assert hidden == Kaiming(mode="fan_out")
    assert inits["classifier.1.weight"] == Uniform(low=-0.25, high=0.25)


def test_readout_of_zero() -> None:
    recipe = over_model(mup(base=LLAMA_BASE, readout="zero"), "llama")
    assert inits_of(recipe)["lm_head.weight"] == Zeros()
    assert plan_of(recipe).forward["readout_multiplier"] == 0.25
    refused = problems_of(over_model(mup(base={"n_embd": 16}, readout="zero"), "gpt2"))
    assert "tied" in refused["/model_scheme"]


@pytest.mark.parametrize(
    ("own", "hidden", "head"),
    [
        ({"scheme": "normal", "std": 0.5}, Normal(std=0.25), Normal(std=0.5)),
        (
            {"scheme": "uniform", "low": -1, "high": 1},
            Uniform(low=-0.5, high=0.5),
            Uniform(low=-1.0, high=1.0),
        ),
        ("lecun_normal", None, VarianceScaling(4.0, "fan_in", "normal")),
        ("kaiming_normal", None, VarianceScaling(8.0, "fan_in", "normal")),
        (
            {"scheme": "xavier", "distribution": "normal"},
            Xavier(distribution="normal"),
            VarianceScaling(float(mpf(64 + 8) / (16 + 8)), "fan_avg", "normal"),
        ),
        ("orthogonal", None, None),
    ],
    ids=str,
)
def test_layers(own: Any, hidden: Scheme | None, head: Scheme | None) -> None:
    of = [
        linear("stem", 8, 64, "input", init=own),
        linear("body", 64, 64, "hidden", init=own, depth=1),
        linear("head", 64, 8, "head", init=own),
    ]
    unchanged = inits_of({"seed": 1, "layers": of})
    recipe = over_layers(mup(width_mult=4), of)
    inits = inits_of(recipe)
    assert inits["body.weight"] == (hidden or unchanged["body.weight"])
    assert inits["head.weight"] == (head or unchanged["head.weight"])
    assert inits["stem.bias"] == unchanged["stem.bias"]
    scale = float(4 * mpf(Kaiming("fan_in", "leaky_relu", 5**0.5).gain_squared))
    for bias in ("body.bias", "head.bias"):
        assert inits[bias] == VarianceScaling(scale, "fan_in", "uniform")
    assert plan_of(recipe).forward == {"readout_multiplier": 0.25}


def test_width_that_is_not_a_whole_multiple() -> None:
    of = [linear("body", 64, 64, "hidden", init={"scheme": "normal", "std": 0.5})]
    inits = inits_of(over_layers(mup(width_mult=1.7), of))
    assert inits["body.weight"] == Normal(std=float(mpf(0.5) / root(mpf(1.7))))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "either base"),
        ({"base": LLAMA_BASE, "width_mult": 2}, "either base"),
        ({"base": {"hidden_sise": 16}}, "no tensor depends on hidden_sise; known are"),
        ({"base": {"num_hidden_layers": 1}}, "changes more than widths"),
        ({"base": {"tie_word_embeddings": True}}, "changes more than widths"),
    ],
    ids=str,
)
def test_base_that_is_none(members: dict[str, Any], said: str) -> None:
    assert said in problems_of(over_model(mup(**members), "llama"))["/model_scheme"]


def test_base_with_a_bad_value_is_shown_its_place() -> None:
    (said,) = problems_of(over_model(mup(base={"hidden_size": -1}), "llama")).items()
    assert said[0] == "/model_scheme/base"
    assert said[1].startswith("hidden_size: ")


def test_base_for_layers_is_refused() -> None:
    of = [linear("body", 64, 64, "hidden")]
    refused = problems_of(over_layers(mup(base={"hidden_size": 16}), of))
    assert "state width_mult" in refused["/model_scheme"]


def test_other_name_of_a_field_is_the_same_field() -> None:
    named, other = ({"hidden_size": 16}, {"n_embd": 16})
    assert inits_of(over_model(mup(base=named), "gpt2")) == inits_of(
        over_model(mup(base=other), "gpt2")
    )
