"""Verdicts: their wording, and which usual scheme they recommend."""

import math
from typing import Any

import pytest

from tests.analysis.support import analysed, dense, norm, recipe_of

SMALL = {"scheme": "normal", "std": 1e-160}
HUGE = {"scheme": "normal", "std": 1e160}


def verdict(layers: Any, init: Any, **members: Any) -> str:
    return str(analysed(recipe_of(layers, init), **members)["curves"][0]["verdict"])


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ("kaiming_normal", ["Signals and gradients keep their size", "starts to train."]),
        ("xavier_normal", ["shrinks by 10^14.8", "the gradients' mean square shrinks by 10^14.8",
                           "does not start to train. kaiming_normal keeps them."]),
        ({"scheme": "normal", "std": 0.2}, ["grows by 10^", "kaiming_normal keeps them."]),
        ("zeros", ["signals falls to zero and the gradients' mean square falls to zero"]),
        (SMALL, ["signals falls to zero and the gradients' mean square falls to zero"]),
        (HUGE, ["signals overflows and the gradients' mean square overflows"]),
    ],
)  # fmt: skip
def test_words_are_wrong(init: Any, words: list[str]) -> None:
    said = verdict(dense(50, 128), init)
    assert "over 50 layers" in said
    for each in words:
        assert each in said


def test_inputs_that_become_one_are_not_told_of() -> None:
    curve = analysed(recipe_of(dense(4, 64), "xavier_normal"), activation="sigmoid")["curves"][0]
    assert curve["theory"]["correlation"][-1] > 0.999
    inputs = recipe_of(dense(600, 64), "kaiming_normal")
    found = analysed(inputs, activation="relu", input={"correlation": 0.99})["curves"][0]
    assert "but any two inputs give the same output" in found["verdict"]
    assert found["trains"] is False


def test_depth_at_which_nothing_helps_is_not_told_of() -> None:
    said = verdict(dense(120, 64), "kaiming_normal", activation="sigmoid")
    assert "no usual scheme does better" in said or "is the best of the usual schemes" in said
    assert "does not start to train" in said


def test_one_layer_is_layers() -> None:
    assert "in its only layer" in verdict(dense(1, 8), "kaiming_normal")


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "silu", "selu", "sigmoid", "elu"])
@pytest.mark.parametrize("depth", [3, 50])
def test_best_is_worse_than_another(name: str, depth: int) -> None:
    layers = dense(depth, 64, bias=True)
    found = analysed(recipe_of(layers), activation=name)
    best, *others = found["usual"]
    assert found["best"] == best
    for other in others:
        assert (other["trains"], -(other["spread"] or 1e9)) <= (best["trains"], -best["spread"] + 1)
    # The listed spread equals that of the scheme's own curve, with the scheme's biases.
    again = analysed(recipe_of(layers, best["init"], rules=[
        {"match": "*.bias", "init": best["bias_init"]},
        {"match": "*.weight", "init": best["init"]}]), activation=name)  # fmt: skip
    curve = again["curves"][0]
    assert curve["trains"] == best["trains"]
    values = (curve["theory"][which] for which in ("ln_q", "ln_gradient"))
    assert max(max(v) - min(v) for v in values) == pytest.approx(best["spread"], rel=1e-9)


@pytest.mark.parametrize(
    ("activation", "best"),
    [
        ("relu", "kaiming_normal"),
        ({"name": "leaky_relu", "negative_slope": 0.5}, "kaiming_normal, slope 0.5"),
        ("linear", "xavier_normal"),
        ("gelu", "critical, gelu"),
        ("silu", "critical, silu"),
        ("selu", "lecun_normal"),
    ],
)
def test_best_for_an_activation_is_another(activation: Any, best: str) -> None:
    found = analysed(recipe_of(dense(50, 256, bias=True)), activation=activation)
    labels = [each["label"] for each in found["usual"]]
    assert best in labels[: 1 if best != "lecun_normal" else 3]


def test_scheme_that_cannot_be_made_ends_in_an_error() -> None:
    rules = [{"match": "*.weight", "fan": {"in": 0, "out": 8}}]
    found = analysed(recipe_of(dense(2, 8), "zeros", rules=rules))
    assert [each["label"] for each in found["usual"]] == ["xavier_normal"]


def test_compared_init_is_not_that_of_the_recipe() -> None:
    inits = ["xavier_normal", {"scheme": "kaiming", "mode": "fan_out", "distribution": "normal"}]
    layers = [*dense(2, 16, bias=True), norm("layer_norm", 16)]
    found = analysed(recipe_of(layers, "zeros"), compare=inits, measure={"batch": 8})
    assert [curve["label"] for curve in found["curves"]] == ["recipe", "xavier_normal", "kaiming"]
    assert found["curves"][0]["init"] is None
    for curve, init in zip(found["curves"][1:], inits, strict=True):
        rules = [{"match": "*fc*.bias", "init": "zeros"}, {"match": "*fc*.weight", "init": init}]
        own = analysed(recipe_of(layers, "zeros", rules=rules), measure={"batch": 8})["curves"][0]
        for kind in ("theory", "measured"):
            assert curve[kind] == own[kind]


def test_compared_init_loses_to_the_recipes_rules() -> None:
    rules = [{"match": "*.weight", "init": "zeros"}]
    found = analysed(recipe_of(dense(3, 8), rules=rules), compare=["kaiming_normal"])
    assert found["curves"][0]["theory"]["ln_q"] == [None] * 3
    assert found["curves"][1]["theory"]["ln_q"] == pytest.approx([math.log(2)] * 3)
