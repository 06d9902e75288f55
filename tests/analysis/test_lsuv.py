"""LSUV: variance 1 after every layer, the same gains on every machine, nothing else changed."""

import json
import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import service
from service.analysis import calibrate
from service.analysis.measure import examples
from service.analysis.network import apply_link, forward
from service.backends import backend
from service.stream.pipeline import Pipeline
from tests.analysis.support import (
    LIMITS,
    PIPELINE,
    calibrated,
    chain,
    conv,
    dense,
    gaussian,
    norm,
    normal,
    recipe_of,
    refused,
    request_of,
)
from tests.support import ROOT

BIASED = dense(4, 48, bias=True, bias_init=normal(0.3))
BRANCHES = [{**e, "branch": [1 + i % 2, 2]} for i, e in enumerate(dense(6, 48))]
FLAT = {"name": "head", "type": "linear", "in_features": 6 * 30, "out_features": 5}
NORMS = [*dense(2, 48), norm("layer_norm", 48), {**dense(1, 48)[0], "name": "last"}]
WIDE = [
    {"name": f"l{i}", "type": "linear", "in_features": a, "out_features": b, "bias": False}
    for i, (a, b) in enumerate([(16, 64), (64, 8), (8, 30)])
]

CASES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "relu": (dense(6, 64), {"activation": "relu"}),
    "tanh": (dense(6, 64), {"activation": "tanh"}),
    "biases": (BIASED, {"activation": "gelu"}),
    "branches": (BRANCHES, {"activation": "relu", "residual_scale": 0.5}),
    "norms": (NORMS, {"activation": "silu"}),
    "widths": (WIDE, {"activation": "linear"}),
    "conv": ([*conv(3, 6, [3, 2]), FLAT], {"activation": "relu", "input": {"size": [6, 5]}}),
    "groups": (conv(3, 6, groups=3, bias=True), {"input": {"size": [4, 4], "variance": 3.0}}),
}


def stds(recipe: Any, members: Any, batch: int = 64) -> list[float]:
    """Return the standard deviation after every layer, on the batch used for calibration."""
    made, weights = chain(recipe, **members)
    shape = (batch, *made.links[0].places, made.links[0].inputs)
    given = examples(shape, recipe["seed"], made.variance, 0.0, PIPELINE)
    found = []

    def apply(link: Any, values: Any) -> Any:
        out = apply_link(weights, link, values)
        if link.has_weights:
            found.append(float(out.std()))
        return out

    forward(made, given, apply)
    return found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("convention", ["pytorch", "flax"])
def test_outputs_of_a_layer_vary_more_or_less_than_1(name: str, convention: str) -> None:
    layers, members = CASES[name]
    recipe = recipe_of(layers, convention=convention)
    found = calibrated(recipe, batch=64, **members)
    assert stds(found["recipe"], members) == pytest.approx([1] * len(found["layers"]), abs=2**-11)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_outputs_of_a_narrower_dtype_vary_more_or_less_than_1(dtype: str) -> None:
    recipe = recipe_of(dense(5, 64)) | {"dtype": dtype}
    found = calibrated(recipe, batch=64, activation="tanh")["recipe"]
    assert stds(found, {"activation": "tanh"}) == pytest.approx([1] * 5, abs=2**-9)


def test_gain_has_more_bits_than_it_needs() -> None:
    found = calibrated(recipe_of(dense(12, 32)), activation="selu")
    for layer, entry in zip(found["layers"], found["recipe"]["layers"], strict=True):
        gain = layer["gain"]
        assert entry["init"] == {"scheme": "orthogonal", "gain": gain}
        mantissa, _ = math.frexp(gain)
        assert mantissa * 2**12 == int(mantissa * 2**12)
        assert 1 / layer["std"] == pytest.approx(gain, rel=2**-11)


def test_other_members_of_the_recipe_are_touched() -> None:
    layers = [*dense(2, 16, bias=True, dtype="F32"), norm("rms_norm", 16)]
    layers[1]["init"] = {"scheme": "normal", "std": 3.0}
    beside = [{"name": "w", "shape": [2, 2], "init": "ones"}]
    recipe = recipe_of(layers, metadata={"a": "ü"}, tensors=beside, include=["fc2*", "w"],
                       rules=[{"match": "*.bias", "init": "zeros"}])  # fmt: skip
    found = calibrated(recipe)["recipe"]
    for index in (0, 1):
        assert found["layers"][index].pop("init")["scheme"] == "orthogonal"
        recipe["layers"][index].pop("init", None)
    assert found == recipe


def test_resolved_recipe_is_refused() -> None:
    for layers, members in CASES.values():
        found = calibrated(recipe_of(layers), **members)["recipe"]
        plan = service.compile(service.parse(found))
        assert any(tensor.name.endswith("weight") for tensor in plan.tensors)


def test_biases_are_not_accounted_for() -> None:
    """Including their covariance with the sums: the gain solves a quadratic equation."""
    layers = dense(1, 48, bias=True, bias_init=normal(0.5))
    layer = calibrated(recipe_of(layers), batch=4096)["layers"][0]
    made = service.generate(recipe_of(layers))["fc1.bias"]
    assert layer["std"] == pytest.approx(math.sqrt(1 + made.var()), rel=0.02)
    assert layer["gain"] == pytest.approx(math.sqrt(1 - made.var()), rel=0.02)
    errors = refused(recipe_of(dense(2, 8, bias=True, bias_init=normal(4.0))), calibrated)
    assert "no gain gives fc1 outputs of variance 1" in errors["/recipe/layers/0"]


@pytest.mark.parametrize("members", [
    {"rules": [{"match": "fc2.weight", "init": "zeros"}]},
    {"rules": [{"match": "*2*", "init": {"scheme": "orthogonal", "gain": 2.0}}]},
])  # fmt: skip
def test_rule_in_the_way_is_not_told_of(members: Any) -> None:
    found = refused(recipe_of(dense(3, 8), **members), calibrated)
    assert list(found) == ["/recipe/layers/1"]
    assert "a rule or model_scheme overrides the init of fc2" in found["/recipe/layers/1"]


def test_model_scheme_in_the_way_is_not_told_of() -> None:
    layers = dense(2, 8)
    for layer, role in zip(layers, ("ffn_in", "ffn_out"), strict=True):
        layer |= {"role": role, "depth": 1}
    recipe = recipe_of(layers, model_scheme={"scheme": "small_init"})
    assert set(refused(recipe, calibrated)) <= {"/recipe/layers/0", "/recipe/layers/1"}
    assert refused(recipe, calibrated)


def test_output_that_is_the_same_everywhere_is_divided_by_zero() -> None:
    dead = dense(2, 8, bias=True, bias_init={"scheme": "constant", "value": -1e9})
    assert list(refused(recipe_of(dead), calibrated)) == ["/recipe/layers/1"]


def test_vast_inputs_end_in_an_error() -> None:
    errors = refused(recipe_of(BIASED), calibrated, input={"variance": 1e308})
    assert "their variance is inf without biases" in errors["/recipe/layers/0"]


@pytest.mark.parametrize("variance", [1e-308, 5e-324, 1e-200])
def test_tiny_inputs_end_in_an_error(variance: float) -> None:
    members = {"input": {"variance": variance}}
    errors = refused(recipe_of(dense(2, 8)), calibrated, **members)
    assert set(errors) <= {"/recipe/layers/0"}
    if not errors:
        found = calibrated(recipe_of(dense(2, 8)), **members)["layers"]
        assert all(math.isfinite(layer["gain"]) for layer in found)


def test_batch_of_ones_own_is_drawn() -> None:
    """With the library the batch's axes have the convention's order."""
    batch = gaussian((10, 6, 5, 4)) * 3
    recipe = recipe_of([*conv(2, 6)])
    found = calibrate(request_of(recipe, activation="tanh"), LIMITS, PIPELINE, batch)
    made, weights = chain(found["recipe"], activation="tanh", input={"size": list(batch.shape[2:])})
    seen = forward(made, np.moveaxis(batch, 1, -1), lambda link, v: apply_link(weights, link, v))
    assert [float(left.std()) for left in seen.outputs] == pytest.approx([1, 1], abs=2**-11)
    flax = recipe | {"convention": "flax"}
    other = calibrate(
        request_of(flax, activation="tanh"), LIMITS, PIPELINE, np.moveaxis(batch, 1, -1)
    )
    assert len(other["layers"]) == 2


def test_kernel_of_numpy_finds_another_gain() -> None:
    text = request_of(recipe_of(dense(3, 24)) | {"dtype": "F32"}, activation="tanh")
    plain = Pipeline(1, 2**24, backend("numpy", "numpy"))
    assert calibrate(text, LIMITS, plain) == calibrate(text, LIMITS, PIPELINE)


def test_work_beyond_the_limit_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.analysis.lsuv.Weights", None)
    found = refused(recipe_of(dense(30, 1024)), calibrated, batch=4096)
    assert list(found) == ["/batch"]
    assert "the limit (max_analysis_" in found["/batch"]
    assert list(refused(recipe_of(dense(1, 8)), calibrated, batch=1)) == ["/batch"]
    assert list(refused(recipe_of(dense(1, 8)), calibrated, compare=[])) == ["/compare"]


CORES = [("", "1"), ("", "2"), ("Haswell", "1"), ("SkylakeX", "2"), ("Nehalem", "1")]


def test_processor_or_its_threads_change_a_gain() -> None:
    libraries = str(np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"])
    if "openblas" not in libraries:
        pytest.skip(f"NumPy's BLAS is {libraries}, whose kernel cannot be chosen")
    images = [*conv(2, 8), {**FLAT, "in_features": 8 * 36}]
    texts = [
        request_of(recipe_of(dense(4, 160)) | {"dtype": "F32"}, activation="gelu"),
        request_of(recipe_of(images), activation="relu", input={"size": [6, 6]}),
    ]
    found = {gains(b"\n".join(texts), core, threads) for core, threads in CORES}
    assert len(found) == 1
    assert [len(each) for each in json.loads(found.pop())] == [4, 3]


RUN = """
import json, sys
from service.analysis import calibrate
from tests.analysis.support import LIMITS, PIPELINE
found = [calibrate(text, LIMITS, PIPELINE)["layers"] for text in sys.stdin.buffer]
print(json.dumps([[layer["gain"] for layer in layers] for layers in found]))
"""


def gains(texts: bytes, core: str, threads: str) -> bytes:
    env = {**os.environ, "OPENBLAS_NUM_THREADS": threads}
    if core:
        env["OPENBLAS_CORETYPE"] = core
    run = [sys.executable, "-c", RUN]
    done = subprocess.run(run, input=texts, env=env, capture_output=True, check=True, cwd=ROOT)
    return done.stdout
