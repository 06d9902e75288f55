"""The whole response: its form, huge and tiny numbers, and random chains."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as checked
from hypothesis import strategies as st

import service
from service.analysis import analyse
from tests.analysis.support import (
    LIMITS,
    NAMES,
    PIPELINE,
    analysed,
    calibrated,
    conv,
    dense,
    norm,
    recipe_of,
    refused,
    request_of,
)

LISTS = {"ln_q", "ln_gradient", "correlation", "chi", "chi_c", "saturated"}
BANDS = {f"{name}_{end}" for name in ("ln_q", "ln_gradient") for end in ("low", "high")}


def test_form_of_the_answer_is_another() -> None:
    layers = [*conv(1, 4), {**dense(1, 4)[0], "in_features": 4 * 9, "name": "head"}]
    members = {"input": {"size": [3, 3]}, "measure": {"batch": 3, "seeds": 2}}
    found = analysed(recipe_of(layers), compare=["xavier_normal"], **members)
    assert set(found) == {"layers", "curves", "critical", "usual", "best"}
    assert [layer["name"] for layer in found["layers"]] == ["conv1", "head"]
    first = found["layers"][0]
    assert (first["type"], first["fan_in"], first["fan_out"]) == ("conv2d", 36, 36)
    for curve in found["curves"]:
        assert set(curve) == {"label", "init", "theory", "measured", "verdict", "trains"}
        theory, measured = curve["theory"], curve["measured"]
        assert set(theory) == LISTS | BANDS | {"depth_scale", "reliable"}
        assert all(len(theory[name]) == 2 for name in LISTS | BANDS)
        assert (measured.pop("batch"), measured.pop("seeds")) == (3, 2)
        assert all(len(values) == 2 for values in measured.values())
        for name in ("ln_q", "ln_gradient"):
            for low, middle, high in zip(
                theory[f"{name}_low"], theory[name], theory[f"{name}_high"], strict=True
            ):
                assert low < high
                assert low < middle + 1
    assert found["critical"] == {"weights": 2.0, "biases": 0.0, "q": None}
    assert analysed(recipe_of(layers), **members, activation="sigmoid")["critical"] is None
    assert analysed(recipe_of(dense(1, 4)))["curves"][0]["measured"] is None


def test_answer_twice_is_not_the_same() -> None:
    text = request_of(recipe_of(dense(3, 16)), measure={"batch": 4}, compare=["orthogonal"])
    assert analyse(text, LIMITS, PIPELINE) == analyse(text, LIMITS, PIPELINE)


HUGE: list[tuple[str, Any, dict[str, Any]]] = [
    ("inputs", "kaiming_normal", {"input": {"variance": 1e308}}),
    ("few inputs", "kaiming_normal", {"input": {"variance": 5e-324}}),
    ("weights", {"scheme": "normal", "std": 1e200}, {}),
    ("no weights", {"scheme": "normal", "std": 1e-200}, {}),
    ("branches", "kaiming_normal", {"residual_scale": 1e300}),
    ("fewer branches", "kaiming_normal", {"residual_scale": 1e-300}),
    ("large branches", "kaiming_normal", {"residual_scale": 1e150}),
    ("zeros", "zeros", {}),
    ("ones", "ones", {}),
]


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize(("name", "init", "members"), HUGE, ids=[case[0] for case in HUGE])
def test_vast_number_ends_in_an_error(
    name: str, init: Any, members: dict[str, Any], activation: str
) -> None:
    """There is no warning either: the suite turns warnings into errors."""
    extra = {"branch": [1, 1]} if "branches" in name else {}
    members = {**members, "activation": activation, "measure": {"batch": 3}, "compare": ["zeros"]}
    for layers in (dense(4, 8, bias=True, **extra), conv(3, 4, 2, **extra)):
        size = {"size": [3, 3]} if "kernel_size" in layers[0] else {}
        given_ = {**members.get("input", {}), **size}
        found = analysed(recipe_of(layers, init), **{**members, "input": given_})
        assert len(found["curves"]) == 2
        assert found["best"]["label"]


@pytest.mark.parametrize("activation", NAMES)
def test_depth_drives_numbers_out_of_range(activation: str) -> None:
    layers = dense(80, 4)
    for init in ("xavier_normal", {"scheme": "normal", "std": 1000.0}):
        curve = analysed(recipe_of(layers, init), activation=activation)["curves"][0]
        assert len(curve["theory"]["ln_q"]) == 80
        assert curve["verdict"]


def test_relu_under_xavier_at_depth_1000_is_lost() -> None:
    found = analysed(recipe_of(dense(1000, 4), "xavier_normal"))["curves"][0]["theory"]
    assert found["ln_q"][-1] == pytest.approx(-999 * math.log(2), rel=1e-6)
    assert found["ln_gradient"][0] == pytest.approx(-999 * math.log(2), rel=1e-6)


def test_rule_of_a_fan_of_zero_ends_in_an_error() -> None:
    rules = [{"match": "*", "fan": {"in": 0, "out": 0}}]
    text = request_of(recipe_of(dense(2, 8), "zeros", rules=rules))
    with pytest.raises(service.InvalidRecipe, match="/recipe: no usual scheme fits"):
        analyse(text, LIMITS, PIPELINE)


DTYPES = ["F32", "BF16", "F8_E4M3"]
NORMS = ["layer_norm", "rms_norm", "batch_norm", "instance_norm", "group_norm"]
widths = st.integers(1, 6)
inits = st.sampled_from(
    ["zeros", "ones", "xavier_normal", "orthogonal", "lecun_uniform", "identity",
     {"scheme": "sparse", "sparsity": 0.5}, {"scheme": "truncated_normal", "std": 3.0},
     {"scheme": "constant", "value": -2.0}]
)  # fmt: skip


@st.composite
def questions(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a recipe, most often with layers that follow each other, and a request's members."""
    rank = draw(st.integers(0, 3))
    size = [draw(st.integers(1, 4)) for _ in range(rank)]
    channels = draw(widths)
    layers: list[Any] = []
    for i in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["weights", "weights", "branch", "norm"]))
        if kind == "norm":
            made = draw(st.sampled_from(NORMS))
            groups = {"num_groups": 1} if made == "group_norm" else {}
            layers.append(norm(made, channels, f"n{i}", **groups))
            continue
        after = channels if kind == "branch" else draw(widths)
        kernel = [draw(st.integers(1, 5)) for _ in range(rank)]
        layer = conv(1, 1, kernel, rank)[0] if rank else dense(1, 1)[0]
        names = ("in_channels", "out_channels") if rank else ("in_features", "out_features")
        layer |= {names[0]: channels, names[1]: after, "name": f"l{i}", "init": draw(inits)}
        layers.append(layer | ({"branch": [1, 1]} if kind == "branch" else {}))
        channels = after
    if rank and draw(st.booleans()):
        head = {**dense(1, 1)[0], "in_features": channels * math.prod(size), "init": draw(inits)}
        layers.append(head | {"out_features": draw(widths)})
    kinds = {"convention": st.sampled_from(["pytorch", "flax"]), "dtype": st.sampled_from(DTYPES)}
    recipe = recipe_of(layers) | {name: draw(values) for name, values in kinds.items()}
    members = {"activation": draw(st.sampled_from(NAMES)), "residual_scale": draw(st.floats(0, 3))}
    if any("kernel_size" in layer for layer in layers):
        members["input"] = {"size": size}
    return recipe, members


@checked(max_examples=60)
@given(questions(), st.booleans())
def test_random_chain_ends_in_an_error(made: tuple[Any, Any], measure: bool) -> None:
    recipe, members = made
    layers = [layer for layer in recipe["layers"] if "norm" not in layer["type"]]
    more = members | ({"measure": {"batch": 3}} if measure else {})
    wrong = refused(recipe, **more)
    assert all(pointer.startswith("/recipe") for pointer in wrong)
    if not wrong:
        found = analysed(recipe, **more)
        assert len(found["layers"]) == len(layers)
        for values in found["curves"][0]["theory"].values():
            assert not isinstance(values, list) or len(values) == len(layers)
    assert all(p.startswith("/recipe") for p in refused(recipe, calibrated, **members, batch=3))
