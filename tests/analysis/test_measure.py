"""Measurements match numbers computed from the batch, and their means lie in theory's band."""

import json
import math
import os
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as checked
from hypothesis import strategies as st

import service
from service.analysis.measure import cost_of, examples
from tests.analysis.deep import CASES
from tests.analysis.support import (
    LIMITS,
    PIPELINE,
    analysed,
    chain,
    conv,
    dense,
    norm,
    normal,
    recipe_of,
    refused,
)
from tests.support import ROOT

CURVES = ("ln_q", "ln_gradient")


def test_mean_of_networks_lies_outside_theorys_band() -> None:
    """Every case, curve and layer at depth 50 and width 512, with 8 seeds."""
    run = [sys.executable, "-m", "tests.analysis.deep"]
    # On a busy processor, several BLAS threads take several times as long as one.
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(run, capture_output=True, check=True, cwd=ROOT, env=env, timeout=120)
    answers = json.loads(done.stdout)
    assert list(answers) == list(CASES)
    for name, curve in answers.items():
        theory, measured = curve["theory"], curve["measured"]
        assert theory["reliable"] == CASES[name].is_reliable
        for which in CURVES:
            low, high = (np.array(theory[f"{which}_{end}"]) for end in ("low", "high"))
            seen = np.array(measured[which])
            assert seen.shape == (50,)
            assert ((low <= seen) & (seen <= high)).all(), (name, which)
        width = np.array(theory["ln_q_high"]) - np.array(theory["ln_q_low"])
        assert width.max() < 4, name  # a very wide band would prove nothing


def test_band_is_wider_than_networks_are_apart() -> None:
    """The band is about four standard deviations wide, and centred on single networks."""
    recipe = recipe_of(dense(30, 64), "kaiming_normal")
    theory = analysed(recipe)["curves"][0]["theory"]
    seen = [
        analysed(recipe | {"seed": s}, measure={"batch": 8})["curves"][0]["measured"]["ln_q"][-1]
        for s in range(40)
    ]
    width = theory["ln_q_high"][-1] - theory["ln_q_low"][-1]
    assert 0.6 < 4 * np.std(seen) / width < 1.6
    assert abs(np.mean(seen) - (theory["ln_q_high"][-1] + theory["ln_q_low"][-1]) / 2) < 0.35


def test_numbers_are_not_those_of_the_batch() -> None:
    recipe = recipe_of(dense(1, 8, bias=True, bias_init=normal(1.0)))
    measure = {"batch": 6, "seeds": 1}
    given_ = {"variance": 2.0, "correlation": 0.25}
    found = analysed(recipe, activation="relu", input=given_, measure=measure)
    measured = found["curves"][0]["measured"]
    made = service.generate(recipe)
    batch = examples((6, 8), 1, 2.0, 0.25, PIPELINE)
    out = batch @ made["fc1.weight"].T + made["fc1.bias"]
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for a, b in zip(out[1:], out[:-1], strict=True)
    ]
    exact = {
        "ln_q": math.log((out**2).mean()),
        "mean": out.mean(),
        "std": out.std(),
        "rms": math.sqrt((out**2).mean()),
        "dead": (out <= 0).all(axis=0).mean(),
        "saturated": (out <= 0).mean(),
        "correlation": np.mean(cosines),
        "ln_gradient": 0.0,
    }
    for name, value in exact.items():
        assert measured[name] == pytest.approx([value], rel=1e-12, abs=1e-15), name
    assert measured["batch"] == 6
    assert measured["seeds"] == 1


def test_examples_are_as_alike_as_others() -> None:
    batch = examples((400, 3, 50), 5, 4.0, 0.3, PIPELINE).reshape(400, -1)
    assert batch.var() == pytest.approx(4, rel=0.05)
    centred = batch / np.sqrt((batch**2).mean(axis=1, keepdims=True))
    cosine = (centred @ centred.T)[np.triu_indices(400, 1)].mean() / batch.shape[1]
    assert cosine == pytest.approx(0.3, abs=0.05)
    assert np.array_equal(examples((2, 3), 5, 1.0, 0.0, PIPELINE),
                          examples((2, 3), 5, 1.0, 0.0, PIPELINE))  # fmt: skip


def test_networks_of_more_seeds_are_not_those_of_one_after_the_other() -> None:
    recipe = recipe_of(dense(2, 8))
    members = {"measure": {"batch": 4, "seeds": 3}}
    both = analysed(recipe, **members)["curves"][0]["measured"]["ln_q"]
    each = [
        analysed(recipe | {"seed": 1 + i}, measure={"batch": 4})["curves"][0]["measured"]["ln_q"]
        for i in range(3)
    ]
    assert both == pytest.approx(np.mean(each, axis=0), rel=1e-12)
    last = analysed(recipe | {"seed": 2**64 - 1}, **members)
    assert last["curves"][0]["measured"]["seeds"] == 3


def test_units_that_are_dead_are_not_counted() -> None:
    layers = dense(1, 40, bias=True, bias_init={"scheme": "constant", "value": -100.0})
    found = analysed(recipe_of(layers), measure={})["curves"][0]["measured"]
    assert found["dead"] == found["saturated"] == [1.0]
    zeros = analysed(recipe_of(dense(3, 8), "zeros"), measure={})["curves"][0]["measured"]
    assert zeros["ln_q"] == zeros["correlation"] == [None] * 3
    assert zeros["ln_gradient"] == [None, None, 0.0]


def behind_each(layers: list[Any], kind: str, features: int) -> list[Any]:
    return [
        link for i, layer in enumerate(layers) for link in (layer, norm(kind, features, f"norm{i}"))
    ]


PAIRS = [{**layer, "branch": [1 + i % 2, 2]} for i, layer in enumerate(dense(12, 128))]
CHAINS: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("conv", conv(6, 48), {}),
    ("groups", conv(5, 48, groups=4), {}),
    ("even", conv(5, 48, 2), {}),
    ("batch norm", behind_each(conv(6, 32), "batch_norm", 32), {}),
    ("dense batch norm", behind_each(dense(12, 128), "batch_norm", 128), {}),
    ("layer norm", behind_each(conv(5, 32), "layer_norm", 32), {}),
    ("branches", PAIRS, {"residual_scale": 0.4}),
]


@pytest.mark.parametrize(("name", "layers", "more"), CHAINS, ids=[case[0] for case in CHAINS])
def test_network_is_not_where_theory_says(name: str, layers: Any, more: dict[str, Any]) -> None:
    size = {} if "features" in str(layers[0]) else {"input": {"size": [8, 8]}}
    members = {"measure": {"batch": 24, "seeds": 4}, **size, **more}
    curve = analysed(recipe_of(layers), **members)["curves"][0]
    theory, measured = curve["theory"], curve["measured"]
    for which in CURVES:
        for layer, seen in enumerate(measured[which]):
            low, high = (theory[f"{which}_{end}"][layer] for end in ("low", "high"))
            assert low <= seen <= high, (which, layer)
    if "batch" not in name:
        assert measured["correlation"] == pytest.approx(theory["correlation"], abs=0.12)


@checked(max_examples=12)
@given(
    st.lists(st.integers(96, 160), min_size=2, max_size=5),
    st.floats(0.3, 3),
    st.integers(0, 2**64 - 1),
)
def test_wide_linear_chain_is_not_where_theory_says(
    widths: list[int], gain: float, seed: int
) -> None:
    layers = [
        {"name": f"l{i}", "type": "linear", "in_features": a, "out_features": b, "bias": False}
        for i, (a, b) in enumerate(pairwise(widths))
    ]
    init = {"scheme": "variance_scaling", "scale": gain, "distribution": "normal"}
    recipe = recipe_of(layers, init)
    members = {"activation": "linear", "measure": {"batch": 32}, "input": {"correlation": 0.0}}
    curve = analysed(recipe | {"seed": seed}, **members)["curves"][0]
    for which in CURVES:
        theory, measured = (curve[kind][which] for kind in ("theory", "measured"))
        assert measured == pytest.approx(theory, abs=0.6), which


@pytest.mark.parametrize(
    ("layers", "measure", "pointer", "limit"),
    [
        (dense(40, 512), {"batch": 512, "seeds": 8}, "/measure", "max_analysis_work"),
        (dense(40, 8192), {"batch": 4}, "/measure/batch", "max_analysis_values"),
        (dense(300, 64), {"batch": 4096, "seeds": 1}, "/measure/batch", "max_analysis_values"),
        (conv(3, 64), {"batch": 4096, "seeds": 1}, "/measure/batch", "max_analysis_values"),
        (dense(400, 8), {"batch": 1024, "seeds": 64}, "/measure", "max_analysis_work"),
        (conv(1, 1, 10**7, 1), {"batch": 128}, "/measure", "max_analysis_work"),
        ([norm("rms_norm", 64, f"n{i}") for i in range(400)] + dense(1, 64),
         {"batch": 512, "seeds": 64}, "/measure", "max_analysis_work"),
    ],
)  # fmt: skip
def test_pass_that_takes_too_long_is_begun(
    layers: Any, measure: Any, pointer: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.analysis.measure.Weights", None)
    found = refused(recipe_of(layers), activation="gelu", measure=measure)
    assert list(found) == [pointer]
    assert limit in found[pointer]


def test_orthogonal_weights_cost_no_more_than_normal_ones() -> None:
    plain, orthogonal = (
        cost_of(chain(recipe_of(dense(2, 64), init))[0]).drawing
        for init in ("kaiming_normal", "orthogonal")
    )
    assert orthogonal == plain * 8


def test_limits_of_the_service_are_not_those_of_its_networks() -> None:
    limits = LIMITS.model_copy(update={"max_name_bytes": 300})
    layers = dense(1, 8)
    layers[0]["name"] = "n" * 280
    assert analysed(recipe_of(layers), limits, measure={"batch": 2})
