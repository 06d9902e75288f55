"""Draws across conventions: every tensor against the drawn file, converted by NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from service.catalogue.layers import LAYERS
from tests.catalogue.layers.support import Arrays, arrays_of, layer_recipe

UNITS, HEADS = 4, 2
Conversion = Callable[[Arrays], Arrays]


def last_first(kernel: Any, *, swapped: bool = False) -> Any:
    """Return a kernel with its first two axes last: in, out, or as they were."""
    converted = np.moveaxis(kernel, 0, -1) if swapped else np.moveaxis(kernel, (0, 1), (-1, -2))
    return np.moveaxis(converted, 0, -1) if swapped else converted


def dense(w: Arrays) -> Arrays:
    return {"kernel": w["weight"].T, "bias": w["bias"]}


def conv(w: Arrays) -> Arrays:
    return {"kernel": last_first(w["weight"]), "bias": w["bias"]}


def transposed_to_keras(w: Arrays) -> Arrays:
    return conv(w)


def transposed_to_flax(w: Arrays) -> Arrays:
    return {"kernel": last_first(w["weight"], swapped=True), "bias": w["bias"]}


def depthwise_to_keras(w: Arrays) -> Arrays:
    kernel = w["weight"].reshape(6, 2, 3, 5).transpose(2, 3, 0, 1)
    return {"kernel": kernel, "bias": w["bias"]}


def gates(matrix: Any, count: int) -> Any:
    return matrix.reshape(count, -1, *matrix.shape[1:])


def recurrent_to_keras(cell: str, order: list[int], *, twin: bool = False) -> Conversion:
    def converted(w: Arrays) -> Arrays:
        kernels = {"kernel": w["weight_ih_l0"], "recurrent_kernel": w["weight_hh_l0"]}
        made = {
            f"{cell}/{name}": gates(kernel, len(order))[order].reshape(kernel.shape).T
            for name, kernel in kernels.items()
        }
        bias = w["bias_ih_l0"]
        return made | {f"{cell}/bias": np.zeros((2, len(bias)) if twin else len(bias), bias.dtype)}

    return converted


def recurrent_to_flax(names: str, biases: list[str]) -> Conversion:
    def converted(w: Arrays) -> Arrays:
        made = {
            f"{side}{name}.kernel": gates(w[f"weight_{side}h_l0"], len(names) or 1)[index].T
            for side in "ih"
            for index, name in enumerate(names or [""])
        }
        zeros = np.zeros(w["weight_hh_l0"].shape[1], w["bias_ih_l0"].dtype)
        return made | {f"{name}.bias": zeros for name in biases}

    return converted


def attention(separator: str, out: str, heads: int = HEADS) -> Conversion:
    def converted(w: Arrays) -> Arrays:
        made: Arrays = {}
        width = w["out_proj.weight"].shape[0]
        for index, name in enumerate(("query", "key", "value")):
            rows = slice(width * index, width * (index + 1))
            kernel = w["in_proj_weight"][rows].T.reshape(width, heads, -1)
            made[f"{name}{separator}kernel"] = kernel
            made[f"{name}{separator}bias"] = w["in_proj_bias"][rows].reshape(heads, -1)
        made[f"{out}{separator}kernel"] = w["out_proj.weight"].T.reshape(heads, -1, width)
        return made | {f"{out}{separator}bias": w["out_proj.bias"]}

    return converted


def renamed(**names: str) -> Conversion:
    return lambda w: {new: w[old] for old, new in names.items()}


CONV = {"in_channels": 6, "out_channels": 4}
SIZES = {"input_size": 3, "hidden_size": UNITS, "bias_init": "zeros"}

CONVERSIONS: dict[str, tuple[dict[str, Any], dict[str, Conversion]]] = {
    "linear": ({"in_features": 6, "out_features": 4}, {"keras": dense, "flax": dense}),
    "embedding": (
        {"num_embeddings": 9, "embedding_dim": 4, "padding_idx": 2},
        {"keras": renamed(weight="embeddings"), "flax": renamed(weight="embedding")},
    ),
    "conv1d": (
        CONV | {"kernel_size": 3, "groups": 2, "init": "kaiming_normal"},
        {"keras": conv, "flax": conv},
    ),
    "conv2d": (CONV | {"kernel_size": [3, 5]}, {"keras": conv, "flax": conv}),
    "conv3d": (CONV | {"kernel_size": [3, 5, 2]}, {"keras": conv, "flax": conv}),
    **{
        f"conv_transpose{rank}d": (
            CONV | {"kernel_size": [3, 5, 2][:rank]},
            {"keras": transposed_to_keras, "flax": transposed_to_flax},
        )
        for rank in (1, 2, 3)
    },
    "depthwise_conv2d": (
        {"channels": 6, "kernel_size": [3, 5], "multiplier": 2},
        {"keras": depthwise_to_keras, "flax": conv},
    ),
    "rnn": (
        SIZES,
        {
            "keras": recurrent_to_keras("simple_rnn_cell", [0]),
            "flax": recurrent_to_flax("", ["i"]),
        },
    ),
    "lstm": (
        SIZES,
        {
            "keras": recurrent_to_keras("lstm_cell", [0, 1, 2, 3]),
            "flax": recurrent_to_flax("ifgo", ["hi", "hf", "hg", "ho"]),
        },
    ),
    "gru": (
        SIZES,
        {
            "keras": recurrent_to_keras("gru_cell", [1, 0, 2], twin=True),
            "flax": recurrent_to_flax("rzn", ["ir", "iz", "in", "hn"]),
        },
    ),
    "multihead_attention": (
        {"embed_dim": 8, "num_heads": HEADS, "bias_init": {"scheme": "normal", "std": 1.0}},
        {"keras": attention("/", "attention_output"), "flax": attention(".", "out")},
    ),
    "layer_norm": (
        {"normalized_shape": [3, 4]},
        {
            "keras": renamed(weight="gamma", bias="beta"),
            "flax": renamed(weight="scale", bias="bias"),
        },
    ),
    "rms_norm": (
        {"normalized_shape": 4},
        {"keras": renamed(weight="scale"), "flax": renamed(weight="scale")},
    ),
    "batch_norm": (
        {"num_features": 4},
        {
            "keras": renamed(
                weight="gamma",
                bias="beta",
                running_mean="moving_mean",
                running_var="moving_variance",
            ),
            "flax": renamed(weight="scale", bias="bias", running_mean="mean", running_var="var"),
        },
    ),
    "group_norm": (
        {"num_groups": 2, "num_channels": 4},
        {
            "keras": renamed(weight="gamma", bias="beta"),
            "flax": renamed(weight="scale", bias="bias"),
        },
    ),
    "instance_norm": (
        {"num_features": 4, "affine": True},
        {"flax": renamed(weight="scale", bias="bias")},
    ),
    "prelu": (
        {},
        {
            "keras": renamed(weight="alpha"),
            "flax": lambda w: {"negative_slope": w["weight"].reshape(())},
        },
    ),
}
PAIRS = [
    (name, convention)
    for name, (_, conversions) in CONVERSIONS.items()
    for convention in conversions
]


def test_type_has_no_draws() -> None:
    assert set(LAYERS) - set(CONVERSIONS) == {"bilinear", "separable_conv2d"}


@pytest.mark.parametrize("members", [{}, {"init": "orthogonal"}, {"dtype": "F16"}], ids=str)
@pytest.mark.parametrize(("name", "convention"), PAIRS)
def test_tensor_is_not_the_drawn_one(name: str, convention: str, members: dict[str, Any]) -> None:
    sizes, conversions = CONVERSIONS[name]
    recipe = layer_recipe({"type": name, **sizes}, **members)
    expected = conversions[convention](arrays_of(recipe))
    _require_same(arrays_of(recipe | {"convention": convention} | PYTORCH), expected)


PYTORCH = {"draw_convention": "pytorch"}


EDGES: list[tuple[str, dict[str, Any]]] = [
    ("linear", {"in_features": 1, "out_features": 5}),
    ("linear", {"in_features": 5, "out_features": 1}),
    ("linear", {"in_features": 1, "out_features": 1, "bias": True}),
    ("conv1d", {"in_channels": 1, "out_channels": 5, "kernel_size": 1}),
    ("conv2d", {"in_channels": 4, "out_channels": 4, "kernel_size": [1, 3], "groups": 4}),
    ("conv3d", {"in_channels": 4, "out_channels": 1, "kernel_size": [2, 1, 3]}),
    ("conv_transpose2d", {"in_channels": 1, "out_channels": 5, "kernel_size": [3, 1]}),
    ("lstm", SIZES | {"hidden_size": 1}),
    ("gru", SIZES | {"input_size": 1}),
    ("gru", SIZES | {"hidden_size": 1, "init": "xavier"}),
    ("gru", SIZES | {"input_size": 700, "hidden_size": 300}),
    ("linear", {"in_features": 1700, "out_features": 900}),
]
"""Axes of size 1, which do not count as axes, and tensors of several slabs."""


@pytest.mark.parametrize("convention", ["keras", "flax"])
@pytest.mark.parametrize(("name", "sizes"), EDGES, ids=str)
def test_tensor_at_the_edge_is_not_the_drawn_one(
    name: str, sizes: dict[str, Any], convention: str
) -> None:
    recipe = layer_recipe({"type": name, **sizes})
    expected = CONVERSIONS[name][1][convention](arrays_of(recipe))
    _require_same(arrays_of(recipe | {"convention": convention} | PYTORCH), expected)


@pytest.mark.parametrize(("width", "heads"), [(3, 1), (3, 3), (1, 1)])
def test_attention_at_the_edge_is_not_the_drawn_one(width: int, heads: int) -> None:
    layer = {"type": "multihead_attention", "embed_dim": width, "num_heads": heads}
    for init in ({}, {"init": "orthogonal"}):
        recipe = layer_recipe(layer | init)
        expected = attention(".", "out", heads)(arrays_of(recipe))
        _require_same(arrays_of(recipe | {"convention": "flax"} | PYTORCH), expected)


def _require_same(made: Arrays, expected: Arrays) -> None:
    assert made.keys() == expected.keys()
    for key, array in made.items():
        assert array.dtype == expected[key].dtype, key
        assert array.shape == expected[key].shape, key
        assert array.tobytes() == expected[key].tobytes(), key


ONE_TENSOR = sorted(set(CONVERSIONS) - {"lstm", "gru", "multihead_attention"})


@pytest.mark.parametrize("convention", ["keras", "flax"])
@pytest.mark.parametrize("name", ONE_TENSOR)
def test_way_back_is_another(name: str, convention: str) -> None:
    """PyTorch's tensors, drawn in the other convention, convert back to that convention's file."""
    sizes, conversions = CONVERSIONS[name]
    if convention not in conversions:
        return
    layer = {"type": name, **sizes}
    delivered = arrays_of(layer_recipe(layer, draw_convention=convention))
    drawn = arrays_of(layer_recipe(layer, convention=convention))
    _require_same(conversions[convention](delivered), drawn)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_way_back_from_keras_is_another(name: str) -> None:
    """Keras's only bias is the input bias; the recurrent bias, which it lacks, is zero."""
    normal = {"scheme": "normal", "std": 1.0}
    layer = {"type": name, "input_size": 3, "hidden_size": UNITS, "bias_init": normal}
    drawn = arrays_of(layer_recipe(layer, convention="keras"))
    delivered = arrays_of(layer_recipe(layer, draw_convention="keras"))
    converted = CONVERSIONS[name][1]["keras"](delivered)
    kernels = {key for key in drawn if key.endswith("kernel")}
    _require_same({k: converted[k] for k in kernels}, {k: drawn[k] for k in kernels})
    bias = drawn[f"{name}_cell/bias"]
    twins = [bias, 0 * bias] if name == "lstm" else [gates(b, 3)[[1, 0, 2]].ravel() for b in bias]
    for side, expected in zip(("ih", "hh"), twins, strict=True):
        assert np.array_equal(delivered[f"bias_{side}_l0"], expected)
    assert bias.any()


def test_keras_and_flax_differ() -> None:
    attention_ = {"type": "multihead_attention", "embed_dim": 8, "num_heads": HEADS}
    drawn = arrays_of(layer_recipe(attention_, convention="flax"))
    made = arrays_of(layer_recipe(attention_, convention="keras", draw_convention="flax"))
    for key, array in drawn.items():
        name = key.replace("out.", "attention_output.").replace(".", "/")
        assert np.array_equal(made[name], array), key
    lstm = {"type": "lstm", "input_size": 3, "hidden_size": UNITS}
    drawn = arrays_of(layer_recipe(lstm, convention="keras"))
    made = arrays_of(layer_recipe(lstm, convention="flax", draw_convention="keras"))
    for index, gate in enumerate("ifgo"):
        columns = slice(index * UNITS, (index + 1) * UNITS)
        assert np.array_equal(made[f"i{gate}.kernel"], drawn["lstm_cell/kernel"][:, columns])
        assert np.array_equal(
            made[f"h{gate}.kernel"], drawn["lstm_cell/recurrent_kernel"][:, columns]
        )
        assert np.array_equal(made[f"h{gate}.bias"], drawn["lstm_cell/bias"][columns])


def test_caffes_gates_are_not_in_its_order() -> None:
    layer = {"type": "lstm", **SIZES, "init": "xavier"}
    drawn = arrays_of(layer_recipe(layer))
    made = arrays_of(layer_recipe(layer, convention="caffe", draw_convention="pytorch"))
    for blob, name in (("0", "weight_ih_l0"), ("2", "weight_hh_l0")):
        expected = gates(drawn[name], 4)[[0, 1, 3, 2]].reshape(drawn[name].shape)
        assert np.array_equal(made[blob], expected)
    conv_ = {"type": "conv2d", **CONV, "kernel_size": 3, "groups": 2}
    drawn = arrays_of(layer_recipe(conv_))
    made = arrays_of(layer_recipe(conv_, convention="caffe", draw_convention="pytorch"))
    _require_same(made, {"0": drawn["weight"], "1": drawn["bias"]})


def test_layers_of_a_stack_are_mixed_up() -> None:
    layer = {"type": "gru", **SIZES, "num_layers": 2, "bidirectional": True}
    drawn = arrays_of(layer_recipe(layer))
    made = arrays_of(layer_recipe(layer, convention="keras", draw_convention="pytorch"))
    assert len(made) == 12
    for cell in ("l0", "l0_reverse", "l1", "l1_reverse"):
        single = {
            k.replace(f"_{cell}", "_l0"): w for k, w in drawn.items() if k.endswith(f"_{cell}")
        }
        expected = CONVERSIONS["gru"][1]["keras"](single)
        here = {k.removeprefix(f"{cell}/"): w for k, w in made.items() if k.startswith(f"{cell}/")}
        _require_same(here, expected)


def test_recipe_of_another_convention_changes_nothing_of_the_drawn_names() -> None:
    """Two layers of one recipe, a rule on the delivered name, and include."""
    recipe = layer_recipe({"type": "linear", "in_features": 6, "out_features": 4}) | PYTORCH
    rules = [{"match": "x/kernel", "init": "xavier_normal"}]
    made = arrays_of(recipe | {"convention": "keras", "rules": rules, "include": ["x/kernel"]})
    own = [{"match": "x.weight", "init": "xavier_normal"}]
    drawn = arrays_of(layer_recipe(recipe["layers"][0], rules=own))
    _require_same(made, {"kernel": drawn["weight"].T})
