"""Schemes over whole models: both stacks, packed and tied weights, what is added or refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from mpmath import log, mpf
from safetensors import safe_open

import service
from service.catalogue.model_schemes import MODEL_SCHEMES
from service.catalogue.schemes import Kaiming, Normal, Ones, Scheme, VarianceScaling, Xavier, Zeros
from tests.catalogue.model_schemes.support import (
    MODELS,
    inits_of,
    layers,
    linear,
    over_layers,
    over_model,
    root,
    shapes_of,
)
from tests.support import ROOT, bytes_of, plan_of, problems_of, recipe_of

FULL: dict[str, Any] = {"mup": {"scheme": "mup", "base": {"hidden_size": 32}}}
TRANSFORMERS = [model for model in MODELS if not model.startswith("resnet")]


def added(scheme: Any, model: str) -> dict[str, tuple[int, ...]]:
    """Return the tensors that a scheme adds to a model."""
    with_scheme = shapes_of(over_model(scheme, model))
    without = shapes_of({"seed": 1, "model": MODELS[model]})
    assert with_scheme.items() >= without.items()
    return {name: shape for name, shape in with_scheme.items() if name not in without}


def test_gpt2_under_deepnorm() -> None:
    inits = inits_of(over_model("deepnorm", "gpt2"))
    beta = Xavier(float(1 / root(24, 4)), "normal")
    at = "transformer.h.2."
    assert [inits[f"{at}attn.c_attn.weight[{part}]"] for part in range(3)] == [
        Xavier(1.0, "normal"),
        Xavier(1.0, "normal"),
        beta,
    ]
    assert inits[f"{at}attn.c_proj.weight"] == inits[f"{at}mlp.c_fc.weight"] == beta
    assert inits["transformer.wte.weight"] == Normal(std=0.02)
    assert not added("deepnorm", "gpt2")
    assert plan_of(over_model("deepnorm", "gpt2")).forward == {"alpha": float(root(6, 4))}


def test_bert_under_t_fixup() -> None:
    inits = inits_of(over_model("t_fixup", "bert"))
    at = "bert.encoder.layer.4."
    gain = float(mpf("0.67") / root(5, 4))
    for layer in ("attention.self.value", "attention.output.dense", "output.dense"):
        assert inits[f"{at}{layer}.weight"] == Xavier(gain)
    assert inits[f"{at}attention.self.key.weight"] == Xavier()
    table = Normal(std=float(1 / root(64) / root(45, 4)))
    assert inits["bert.embeddings.word_embeddings.weight[0]"] == Zeros()
    assert inits["bert.embeddings.word_embeddings.weight[1]"] == table
    assert inits["bert.embeddings.position_embeddings.weight"] == table
    assert inits["bert.embeddings.LayerNorm.weight"] == Ones()


def test_t5_under_deepnorm_and_sub_ln() -> None:
    product = root(2**4 * 3, 16)
    gains: dict[str, tuple[Any, Any]] = {
        "deepnorm": (mpf("0.87") / product, 1 / root(36, 4)),
        "sub_ln": (root(log(9) * log(4) / 3), root(log(9))),
    }
    for scheme, (encoder, decoder) in gains.items():
        inits = inits_of(over_model(scheme, "t5"))
        for stack, branch, gain in (
            ("encoder", "0.SelfAttention.v", encoder),
            ("encoder", "1.DenseReluDense.wo", encoder),
            ("decoder", "1.EncDecAttention.o", decoder),
            ("decoder", "2.DenseReluDense.wi", decoder),
        ):
            at = f"{stack}.block.1.layer.{branch}.weight"
            assert inits[at] == Xavier(float(gain), "normal")
        bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        assert isinstance(inits[bias], Normal)
    norms = added("sub_ln", "t5")
    assert norms["decoder.block.2.layer.1.EncDecAttention.inner_attn_ln.weight"] == (512,)
    assert norms["encoder.block.0.layer.1.DenseReluDense.ffn_layernorm.bias"] == (2048,)
    assert len(norms) == 2 * (2 * 2 + 3 * 3)


@pytest.mark.parametrize(
    ("model", "layers_of", "blocks"), [("resnet18", 2, 8), ("resnet50", 3, 16)]
)
def test_resnet_under_fixup(model: str, layers_of: int, blocks: int) -> None:
    inits = inits_of(over_model("fixup", model))
    scale = float(2 / root(blocks, layers_of - 1))
    for place in range(1, layers_of):
        expected = VarianceScaling(scale, "fan_out", "normal")
        assert inits[f"layer4.1.conv{place}.weight"] == expected
    assert inits[f"layer4.1.conv{layers_of}.weight"] == Zeros()
    assert inits["fc.weight"] == inits["fc.bias"] == Zeros()
    assert inits["conv1.weight"] == inits["layer4.0.downsample.0.weight"] == Kaiming(mode="fan_out")
    scalars = added("fixup", model)
    assert {"bias1", "bias2", "layer1.0.bias1a", f"layer4.1.bias{layers_of}b"} <= set(scalars)
    assert len(scalars) == 2 + blocks * (2 * layers_of + 1)
    assert set(scalars.values()) == {(1,)}


def test_what_is_added_beside_the_branches_of_transformers() -> None:
    assert added("normformer", "bert") == {
        f"bert.encoder.layer.{depth}.{name}": shape
        for depth in range(5)
        for name, shape in (
            ("c_attn", (4,)),
            ("attn_ln.weight", (64,)),
            ("attn_ln.bias", (64,)),
            ("ffn_layernorm.weight", (3072,)),
            ("ffn_layernorm.bias", (3072,)),
        )
    }
    blocks = [("encoder", depth) for depth in range(2)] + [("decoder", depth) for depth in range(3)]
    names = {f"{stack}.block.{depth}.resweight": (1,) for stack, depth in blocks}
    assert added("rezero", "t5") == names
    assert set(added("skipinit", "gpt2")) == {
        f"transformer.h.{depth}.{branch}.skipinit_gain"
        for depth in range(3)
        for branch in ("attn", "mlp")
    }
    llama = added("fixup", "llama")
    at = "model.layers.0.self_attn."
    assert {f"{at}bias1a", f"{at}bias2b", f"{at}scale", "bias2"} <= set(llama)
    assert "bias1" not in llama


@pytest.mark.parametrize("model", TRANSFORMERS)
@pytest.mark.parametrize("name", MODEL_SCHEMES)
def test_scheme_touches_norms_or_padding_or_doubles_a_name(name: str, model: str) -> None:
    own = inits_of({"seed": 1, "model": MODELS[model]})
    inits = inits_of(over_model(FULL.get(name, name), model))
    for tensor, init in own.items():
        if isinstance(init, Zeros | Ones):
            assert inits[tensor] == init


@pytest.mark.parametrize("name", MODEL_SCHEMES)
def test_explicit_recipe_draws_the_same_weights(name: str) -> None:
    """The plan's inits, as an explicit recipe, are the scheme's bytes."""
    recipe = service.parse(over_model(FULL.get(name, name), "gpt2"))
    plan = service.compile(recipe)
    rows = service.explain(recipe, plan)["tensors"]
    tensors = [_explicit(row) for row in rows]
    again = plan_of({"seed": 1, "tensors": json.loads(json.dumps(tensors))})
    start, other = len(plan.header), len(again.header)
    assert bytes_of(plan, (start, start + 200_000)) == bytes_of(again, (other, other + 200_000))
    assert [t.source.identity for t in plan.tensors] == [t.source.identity for t in again.tensors]


def _explicit(row: dict[str, Any]) -> dict[str, Any]:
    made = {"name": row["name"], "shape": row["shape"]}
    if "parts" not in row:
        fan = {"in": row["fan_in"], "out": row["fan_out"]}
        return made | {"init": row["init"]} | ({"fan": fan} if row["fan_in"] is not None else {})
    parts = [
        {
            "size": part["stop"] - part["start"],
            "init": part["init"],
            "fan": {"in": part["fan_in"], "out": part["fan_out"]},
        }
        for part in row["parts"]
    ]
    return made | {"parts": {"axis": row["axis"], "of": parts}}


def test_constants_are_not_in_the_file(tmp_path: Path) -> None:
    recipe = over_model("deepnorm", "gpt2")
    parsed = service.parse(recipe | {"include": ["*.ln_f.bias"]})
    plan = service.compile(parsed)
    path = tmp_path / "deepnorm.safetensors"
    path.write_bytes(bytes_of(plan))
    with safe_open(path, framework="np") as file:
        assert file.metadata() == {"tensorseed.alpha": repr(float(root(6, 4)))}
    assert service.explain(parsed, plan)["forward"] == plan.forward


def test_rule_loses_to_the_scheme() -> None:
    recipe = over_model("deepnorm", "gpt2") | {
        "rules": [{"match": "*.c_fc.weight", "init": "ones"}]
    }
    assert inits_of(recipe)["transformer.h.0.mlp.c_fc.weight"] == Ones()
    extra = over_model("rezero", "gpt2") | {"rules": [{"match": "*.resweight", "init": "ones"}]}
    assert inits_of(extra)["transformer.h.0.resweight"] == Ones()


def test_extra_that_is_there_already_goes_unsaid() -> None:
    clash = {"name": "transformer.h.0.resweight", "shape": [1], "init": "ones"}
    refused = problems_of(over_model("rezero", "gpt2") | {"tensors": [clash]})
    assert "2 tensors are called" in refused["/model_scheme"]


def test_names_of_two_towers_clash() -> None:
    model = {"model_type": "clip"}
    for scheme in ("fixup", "t_fixup", "sub_ln", "normformer", "rezero", "skipinit"):
        shapes = shapes_of({"seed": 1, "model": model, "model_scheme": scheme})
    assert {
        f"{tower}_model.encoder.layers.11.{branch}skipinit_gain"
        for tower in ("text", "vision")
        for branch in ("self_attn.", "mlp.")
    } <= set(shapes)


def test_keras_and_flax_names_have_other_modules() -> None:
    for convention, kernel, added_name in (
        ("keras", "decoder.0.attn.o/kernel", "decoder.0.attn.skipinit_gain"),
        ("flax", "decoder.0.attn.o.kernel", "decoder.0.attn.skipinit_gain"),
    ):
        recipe = over_layers("skipinit", layers(blocks=1), convention=convention)
        assert {kernel, added_name} <= set(shapes_of(recipe))
    of = [layer | {"name": layer["name"].replace(".", "/")} for layer in layers(blocks=1)]
    recipe = over_layers("skipinit", of, convention="keras")
    assert "decoder/0/attn/skipinit_gain" in shapes_of(recipe)


def test_layers_drawn_in_another_convention_lose_the_scheme() -> None:
    ours = over_layers("deepnorm", layers(blocks=1), convention="keras", draw_convention="pytorch")
    torch = over_layers("deepnorm", layers(blocks=1))
    init = inits_of(ours | {"layers": [layer | {"bias": False} for layer in ours["layers"]]})
    assert init["decoder.0.attn.o/kernel"] == inits_of(torch)["decoder.0.attn.o.weight"]


def test_packed_attention_layer_shares_names_with_its_block() -> None:
    attention = {"name": "0.attn", "type": "multihead_attention", "embed_dim": 64, "num_heads": 4}
    of = [
        attention | {"depth": 1},
        linear("0.up", 64, 256, "ffn_in", depth=1),
        linear("0.down", 256, 64, "ffn_out", depth=1),
    ]
    shapes = shapes_of(over_layers("fixup", of))
    assert {"0.attn.bias1a", "0.attn.scale", "0.bias1a", "0.scale"} <= set(shapes)
    for name in sorted(set(MODEL_SCHEMES) - {"mup"}):
        assert not problems_of(over_layers(name, of))


@pytest.mark.parametrize("name", sorted(set(MODEL_SCHEMES) - {"mup"}))
def test_scheme_without_what_it_needs_is_taken(name: str) -> None:
    of = [linear("a", 8, 8, "hidden"), linear("b", 8, 8, "head")]
    assert "/model_scheme" in problems_of(over_layers(name, of))
    nothing = problems_of(recipe_of({"name": "w", "shape": [2], "init": "ones"}, model_scheme=name))
    assert "needs a model, or layers" in nothing["/model_scheme"]


@pytest.mark.parametrize(
    ("scheme", "of", "said"),
    [
        ("deepnorm", [linear("v", 8, 8, "value")], "v.weight is value of no block"),
        ("normformer", layers(), "number of attention heads"),
        (
            "wang_init",
            [*layers(), linear("o", 8, 8, "out", depth=4)],
            "they have 2: make one stack",
        ),
        ("fixup", [linear("o", 8, 8, "out", depth=1)], "ends a residual branch of 2 layers, and 1"),
        (
            "fixup",
            [linear("o", 8, 8, "conv", depth=1, branch=[2**53 - 1, 2**53 - 1])],
            "9007199254740991 layers, and 1",
        ),
    ],
    ids=str,
)
def test_half_stated_layers_are_taken(scheme: str, of: list[dict[str, Any]], said: str) -> None:
    assert said in problems_of(over_layers(scheme, of))["/model_scheme"]


def test_absurd_depth_costs_time() -> None:
    of = [layer | {"depth": 2**53 - 1} for layer in layers(blocks=1)]
    for name in sorted(set(MODEL_SCHEMES) - {"mup", "normformer"}):
        assert not problems_of(over_layers(name, of))


@pytest.mark.parametrize("name", MODEL_SCHEMES)
def test_name_and_object_have_other_ids(name: str) -> None:
    recipe = over_model({"scheme": name}, "gpt2")
    by_name = service.parse(recipe | {"model_scheme": name})
    assert by_name.recipe_id == service.parse(recipe).recipe_id
    assert by_name.recipe_id != service.parse(recipe | {"model_scheme": None}).recipe_id


def test_alpha_that_underflows_is_taken() -> None:
    for alpha in (5e-324, 1e-200, 1.7e308):
        found = problems_of(over_layers({"scheme": "ds_init", "alpha": alpha}, layers(blocks=1)))
        assert "or equal to" in found["/model_scheme/alpha"]


@pytest.mark.parametrize("scheme", ["gpt2_residual", "depth_scaled"])
def test_extreme_parameters_escape_as_other_errors(scheme: str) -> None:
    for value in (5e-324, 1.7e308):
        found = problems_of(over_layers({"scheme": scheme, "std": value}, layers(blocks=1)))
        assert all("finite in float64" in detail for detail in found.values())
        assert bool(found) == (value > 1)


@pytest.mark.parametrize(
    ("scheme", "pointer"),
    [
        ("deepnrm", ""),
        ({"scheme": "deepnrm"}, ""),
        ({"rule": "code"}, ""),
        (5, ""),
        ({"scheme": "deepnorm", "rule": "other"}, "/rule"),
        ({"scheme": "deepnorm", "alpha": 1}, "/alpha"),
        ({"scheme": "ds_init", "alpha": 0}, "/alpha"),
        ({"scheme": "ds_init", "alpha": True}, "/alpha"),
        ({"scheme": "mup", "base": {}}, "/base"),
    ],
    ids=str,
)
def test_bad_object_is_taken(scheme: Any, pointer: str) -> None:
    assert f"/model_scheme{pointer}" in problems_of(over_model(scheme, "gpt2"))


def test_scheme_is_hidden_from_the_plan() -> None:
    recipe = service.parse(over_model("deepnorm", "gpt2"))
    rows = service.explain(recipe, service.compile(recipe))["tensors"]
    (row,) = (row for row in rows if row["name"] == "transformer.h.0.mlp.c_fc.weight")
    expected: dict[str, Scheme | Any] = {"scheme": "xavier", "distribution": "normal"}
    assert row["init"] == expected | {"gain": float(1 / root(24, 4))}


@pytest.mark.parametrize(
    ("name", "tensors", "forward"),
    [
        ("llama-mup", 38, {"readout_multiplier": 0.5, "attention_multiplier": 0.125}),
        ("gpt2-deepnorm", 148, {"alpha": float(root(24, 4))}),
        ("bert-tfixup", 202, {}),
    ],
)
def test_example_is_refused(name: str, tensors: int, forward: dict[str, float]) -> None:
    plan = service.compile(service.parse((ROOT / f"examples/recipes/{name}.json").read_bytes()))
    assert len(plan.tensors) == tensors
    assert plan.forward == forward
