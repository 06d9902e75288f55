"""Layers: their default inits, Caffe's blobs, roles, errors, and the page about them."""

import itertools
from typing import Any

import numpy as np
import pytest

import service
from service.catalogue.layers import LAYERS
from service.catalogue.listing import layers
from service.catalogue.model_schemes import Role
from tests.catalogue.layers.support import arrays_of, layer_recipe, rows_of
from tests.support import ROOT, bytes_of, plan_of, problems_of

LINEAR = {"type": "linear", "in_features": 6, "out_features": 4}
LSTM = {"type": "lstm", "input_size": 3, "hidden_size": 4}
MHA = {"type": "multihead_attention", "embed_dim": 8, "num_heads": 2}
CONV = {"in_channels": 12, "out_channels": 20, "kernel_size": 3}


def fans_of(row: dict[str, Any]) -> Any:
    """Return (fan_in, fan_out), or those of each part."""
    if "parts" in row:
        return [fans_of(part) for part in row["parts"]]
    return row["fan_in"], row["fan_out"]


@pytest.mark.parametrize("convention", ["pytorch", "keras", "flax", "caffe"])
@pytest.mark.parametrize(
    ("layer", "fans"),
    [
        (LINEAR, (6, 4)),
        ({"type": "embedding", "num_embeddings": 9, "embedding_dim": 4}, (4, 9)),
        ({"type": "conv2d", **CONV}, (108, 180)),
        ({"type": "conv2d", "groups": 4, **CONV}, (27, 45)),
        ({"type": "conv_transpose2d", **CONV}, (108, 180)),
        ({"type": "depthwise_conv2d", "channels": 6, "kernel_size": 3, "multiplier": 2}, (9, 18)),
    ],
    ids=str,
)
def test_init_takes_other_fans_than_the_layers(
    layer: dict[str, Any], fans: tuple[int, int], convention: str
) -> None:
    for members in ({"init": "kaiming_normal"}, {"rules": [{"match": "*", "init": "lecun"}]}):
        rows = rows_of(layer_recipe(layer, convention=convention, **members)).values()
        row = max(rows, key=lambda row: len(row["shape"]))
        assert fans_of(row) == fans


@pytest.mark.parametrize(
    ("layer", "convention", "name", "count", "fans"),
    [
        (LSTM, "pytorch", "weight_ih_l0", 4, (3, 4)),
        (LSTM, "pytorch", "weight_hh_l0", 4, (4, 4)),
        (LSTM, "keras", "lstm_cell/kernel", 4, (3, 4)),
        (LSTM, "caffe", "0", 4, (3, 4)),
        (LSTM | {"type": "gru"}, "pytorch", "weight_ih_l0", 3, (3, 4)),
        (MHA, "pytorch", "in_proj_weight", 3, (8, 8)),
    ],
)
def test_packed_tensor_is_one_to_an_init(
    layer: dict[str, Any], convention: str, name: str, count: int, fans: tuple[int, int]
) -> None:
    recipe = layer_recipe(layer | {"init": "orthogonal"}, convention=convention)
    assert fans_of(rows_of(recipe)[name]) == [fans] * count
    array = arrays_of(recipe)[name]
    for part in np.split(array.T if convention == "keras" else array, count):
        rows = part if len(part) <= part.shape[1] else part.T
        assert np.allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-6)


def test_flax_gate_is_not_the_packed_ones_neighbour() -> None:
    rows = rows_of(layer_recipe(LSTM | {"init": "xavier"}, convention="flax"))
    assert {fans_of(rows[f"i{gate}.kernel"]) for gate in "ifgo"} == {(3, 4)}


def test_init_reaches_what_it_should_not() -> None:
    members = {"init": {"scheme": "constant", "value": 3}}
    rows = rows_of(layer_recipe(LINEAR, **members))
    assert (rows["weight"]["low"], rows["bias"]["scheme"]) == (3, "kaiming")
    for layer in ({"type": "batch_norm", "num_features": 4}, {"type": "prelu"}):
        assert all(row["low"] != 3 for row in rows_of(layer_recipe(layer, **members)).values())
    prelu = {"type": "prelu", "init": {"scheme": "constant", "value": 0.1}}
    assert rows_of(layer_recipe(prelu, **members))["weight"]["low"] == 0.1
    rows = rows_of(layer_recipe(LINEAR | {"init": "ones", "bias_init": "zeros"}, **members))
    assert (rows["weight"]["low"], rows["bias"]["low"]) == (1, 0)


def test_bias_has_other_fans_than_its_weights() -> None:
    layer = {"type": "conv2d", "groups": 4, **CONV, "bias_init": "lecun_uniform"}
    assert fans_of(rows_of(layer_recipe(layer))["bias"]) == (27, 45)
    assert rows_of(layer_recipe(LSTM | {"bias_init": "lstm_forget"}))["bias_ih_l0"]["high"] == 1


@pytest.mark.parametrize("padding", [0, 3, 8, -1])
@pytest.mark.parametrize("members", [{}, {"init": "kaiming_normal"}, {"convention": "keras"}])
def test_padding_row_is_drawn(padding: int, members: dict[str, Any]) -> None:
    layer = {"type": "embedding", "num_embeddings": 9, "embedding_dim": 4}
    (plain,) = arrays_of(layer_recipe(layer, **members)).values()
    (padded,) = arrays_of(layer_recipe(layer | {"padding_idx": padding}, **members)).values()
    assert not padded[padding].any()
    others = np.arange(9) != padding % 9
    assert np.array_equal(padded[others], plain[others])


def test_packed_attention_is_not_xavier_over_the_whole() -> None:
    """torch draws query, key and value as one matrix; a depth, which divides it, changes no bit."""
    arrays = arrays_of(layer_recipe(MHA))
    named = {"seed": 7, "tensors": [{"name": "x.in_proj_weight", "shape": [24, 8]}]}
    whole = arrays_of(named | {"init": "xavier_uniform"})
    assert np.array_equal(arrays["in_proj_weight"], whole["in_proj_weight"])
    deep = arrays_of(layer_recipe(MHA | {"depth": 1}))
    assert all(np.array_equal(arrays[name], deep[name]) for name in arrays)


def roles_of(layer: dict[str, Any], convention: Any = "pytorch", drawn: Any = None) -> Any:
    made = service.parse(layer_recipe(layer)).layers[0].weights(convention, drawn, None)
    return {weight.tensor.name[2:]: weight.roles for weight in made}


def test_role_is_another() -> None:
    roles = roles_of(MHA | {"depth": 2, "stack": "encoder"})
    query, key, value = (Role(n, 2, "encoder", 1, 2) for n in ("query", "key", "value"))
    assert roles["in_proj_weight"] == (query, key, value)
    assert roles["out_proj.weight"] == (Role("out", 2, "encoder", 2, 2, heads=2),)
    assert roles["in_proj_bias"] == (Role("vector", 2, "encoder"),)
    deep = MHA | {"depth": 2, "stack": "encoder"}
    assert roles_of(deep, "flax")["key.kernel"] == (key,)
    assert roles_of(deep, "flax", "pytorch")["key.kernel"] == (query, key, value)
    assert roles_of(LINEAR)["weight"] == (Role("hidden"),)
    assert roles_of(LINEAR | {"role": "ffn_out", "depth": 1})["weight"] == (
        Role("ffn_out", 1, "decoder", 2, 2),
    )
    conv = {"type": "conv2d", **CONV, "role": "conv", "depth": 1, "branch": [2, 3]}
    assert roles_of(conv)["weight"] == (Role("conv", 1, "decoder", 2, 3),)
    table = {"type": "embedding", "num_embeddings": 9, "embedding_dim": 4, "padding_idx": 0}
    assert roles_of(table)["weight"] == (Role("vector"), Role("embedding"))
    assert roles_of(LSTM | {"init": "xavier"})["weight_ih_l0"] == (Role("hidden"),) * 4
    assert roles_of({"type": "batch_norm", "num_features": 4})["running_var"] == ()


BLOBS: list[tuple[dict[str, Any], dict[str, tuple[tuple[int, ...], float]]]] = [
    (LINEAR, {"0": ((4, 6), 0), "1": ((4,), 0)}),
    ({"type": "conv2d", "groups": 4, **CONV}, {"0": ((20, 3, 3, 3), 0), "1": ((20,), 0)}),
    ({"type": "conv_transpose2d", **CONV}, {"0": ((12, 20, 3, 3), 0), "1": ((20,), 0)}),
    (
        {"type": "embedding", "num_embeddings": 9, "embedding_dim": 4},
        {"0": ((9, 4), 0), "1": ((4,), 0)},
    ),
    (LSTM, {"0": ((16, 3), 0), "1": ((16,), 0), "2": ((16, 4), 0)}),
    (
        LSTM | {"type": "rnn"},
        {"0": ((4, 3), 0), "1": ((4,), 0), "2": ((4, 4), 0), "3": ((4, 4), 0), "4": ((4,), 0)},
    ),
    (
        {"type": "batch_norm", "num_features": 5},
        {
            "0": ((5,), 0),
            "1": ((5,), 0),
            "2": ((1,), 0),
            "scale/0": ((5,), 1),
            "scale/1": ((5,), 0),
        },
    ),
    ({"type": "prelu", "num_parameters": 5}, {"0": ((5,), 0.25)}),
    ({"type": "prelu"}, {"0": ((), 0.25)}),
]


@pytest.mark.parametrize(("layer", "blobs"), BLOBS, ids=str)
def test_caffe_has_other_blobs(layer: dict[str, Any], blobs: Any) -> None:
    rows = rows_of(layer_recipe(layer, convention="caffe"))
    assert {name: (row["shape"], row["mean"]) for name, row in rows.items()} == blobs
    assert all(row["std"] == 0 for row in rows.values())


BOTH_WAYS = {"convention": "keras", "draw_convention": "pytorch"}
FROM_FLAX = {"draw_convention": "flax"}


@pytest.mark.parametrize(
    ("layer", "members", "words"),
    [
        ({"type": "group_norm", "num_groups": 2, "num_channels": 4}, {"convention": "caffe"},
         "caffe has no such layer; these have it: pytorch, keras, flax"),
        ({"type": "conv_transpose1d", "groups": 2, **CONV}, {"convention": "keras"},
         "keras has no such layer; these have it: pytorch, caffe"),
        ({"type": "bilinear", "in1_features": 2, "in2_features": 2, "out_features": 2},
         {"draw_convention": "flax"}, "flax has no such layer; these have it: pytorch"),
        (LSTM | {"bias": False}, {"convention": "caffe"}, "these have it: pytorch, keras, flax"),
        ({"type": "prelu", "num_parameters": 2}, {"convention": "flax"},
         "these have it: pytorch, keras"),
        (LSTM, BOTH_WAYS, ("not all of pytorch's bias_hh_l0 has a place in keras: state"
          ' "bias_init": "zeros" or "bias": false')),
        (LSTM | {"type": "gru"}, BOTH_WAYS, "several tensors of pytorch (bias_ih_l0, bias_hh_l0)"),
        (LSTM, FROM_FLAX, ("several tensors of flax (ii.kernel, if.kernel, ig.kernel, io.kernel),"
          " but it can only be a block of one: leave draw_convention out, or swap it with"
          " convention")),
        (MHA, FROM_FLAX, "(query.kernel, key.kernel, value.kernel)"),
        (LSTM | {"type": "rnn", "bias_init": "zeros"},
         {"convention": "caffe", "draw_convention": "pytorch"},
         "pytorch has no tensor for caffe's 3: leave draw_convention out"),
        ({"type": "conv1d", "in_channels": 3, "out_channels": 4, "kernel_size": 3, "groups": 2},
         {}, "groups (2) must divide in_channels (3) and out_channels (4)"),
        (MHA | {"num_heads": 3}, {}, "num_heads (3) must divide embed_dim (8)"),
        ({"type": "group_norm", "num_groups": 3, "num_channels": 8}, {}, "divide num_channels"),
        ({"type": "embedding", "num_embeddings": 4, "embedding_dim": 2, "padding_idx": 4}, {},
         "padding_idx must be from -4 to 3, not 4"),
        ({"type": "rms_norm", "normalized_shape": 3, "init": "ones"}, {}, "no weights for init"),
        (LINEAR | {"bias": False, "bias_init": "ones"}, {}, "no biases for bias_init"),
        ({"type": "embedding", "num_embeddings": 4, "embedding_dim": 2, "bias_init": "ones"}, {},
         "no biases for bias_init"),
        (LINEAR | {"branch": [3, 2]}, {}, "branch is [place, of] with place <= of, not [3, 2]"),
        (LSTM | {"bias_init": "lstm_forget"}, {"convention": "flax"},
         "lstm_forget sets 4 gates in one tensor, but hi.bias has 1: use a rule"),
        (LSTM | {"type": "gru", "bias_init": "lstm_forget"}, {}, "bias_ih_l0 has 3"),
    ],
)  # fmt: skip
def test_refusal_has_other_words(layer: Any, members: Any, words: str) -> None:
    problems = problems_of(layer_recipe(layer, **members))
    assert set(problems) == {"/layers/0"}
    assert words in problems["/layers/0"]


@pytest.mark.parametrize(
    ("layer", "pointer"),
    [
        ({"type": "linear", "in_features": 0, "out_features": 4}, "/layers/0/in_features"),
        ({"type": "linear", "in_features": 6}, "/layers/0/out_features"),
        (LINEAR | {"kernel_size": 3}, "/layers/0/kernel_size"),
        ({"type": "conv2d", **CONV, "kernel_size": [3]}, "/layers/0/kernel_size"),
        ({"type": "layer_norm", "normalized_shape": []}, "/layers/0/normalized_shape"),
    ],
)
def test_field_is_taken(layer: Any, pointer: str) -> None:
    assert any(place.startswith(pointer) for place in problems_of(layer_recipe(layer)))


def test_piece_of_a_turned_file_is_another() -> None:
    """Read tensors that are drawn in another order, in spans of a prime length."""
    many = [MHA | {"name": "a"}, LSTM | {"name": "b", "type": "gru", "bias": False}]
    plan = plan_of({"seed": 7, "layers": many, "convention": "flax", "draw_convention": "pytorch"})
    whole = bytes_of(plan)
    edges = [*range(0, plan.nbytes, 97), plan.nbytes]
    pieces = [bytes_of(plan, span) for span in itertools.pairwise(edges)]
    assert b"".join(pieces) == whole


def test_catalogue_lacks_something() -> None:
    table = {entry["type"]: entry for entry in layers()}
    assert list(table) == list(LAYERS)
    for entry in table.values():
        assert entry["summary"].endswith(".")
        assert entry["source"].startswith("https://")
        assert all(tensors for tensors in entry["conventions"].values())
        for name in entry["example"]:
            assert name in entry["parameters"]
    assert table["linear"]["parameters"]["bias"] == {
        "required": False,
        "type": "boolean",
        "default": True,
    }
    assert table["lstm"]["conventions"]["caffe"][0] == {
        "name": "0",
        "form": "(G O) I",
        "init": {"scheme": "zeros"},
    }


def test_type_has_no_row_on_the_page() -> None:
    page = (ROOT / "docs/layers.md").read_text("utf-8")
    for entry in layers():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{entry['type']}` | "))
        common = {"name", "init", "bias_init", "dtype", "role", "depth", "stack", "branch"}
        for field in set(entry["parameters"]) - common:
            assert f"`{field}`" in row
        for tensors in entry["conventions"].values():
            assert all(f"`{tensor['name']}`" in row for tensor in tensors)
