"""The explanation of a plan agrees with the file."""

import json
import math
from typing import Any

import numpy as np
import pytest

import service
from tests.support import recipe_of, tensor


def explained(recipe: dict[str, Any]) -> dict[str, Any]:
    parsed = service.parse(recipe)
    body: dict[str, Any] = json.loads(json.dumps(service.explain(parsed, service.compile(parsed))))
    return body


def test_row_lacks_a_field_or_lies() -> None:
    row = explained(recipe_of(tensor("kaiming_normal", [64, 3, 7, 7])))["tensors"][0]
    assert row == {
        "name": "w",
        "shape": [64, 3, 7, 7],
        "dtype": "F32",
        "data_offsets": [0, 37632],
        "scheme": "kaiming",
        "init": {"scheme": "kaiming"},
        "distribution": "normal",
        "fan_in": 147,
        "fan_out": 3136,
        "gain": math.sqrt(2),
        "forward_gain": pytest.approx(1.0),
        "backward_gain": pytest.approx(3136 / 147),
        "formula": "var(w) = gain(nonlinearity)^2 / fan",
        "source": "https://arxiv.org/abs/1502.01852",
        "mean": 0.0,
        "std": math.sqrt(2 / 147),
        "low": pytest.approx(-6.338 * math.sqrt(2 / 147), rel=1e-4),
        "high": pytest.approx(6.338 * math.sqrt(2 / 147), rel=1e-4),
    }


def test_totals_are_not_the_files() -> None:
    recipe = recipe_of(tensor(), tensor("zeros", [3], "n", dtype="I64"))
    body = explained(recipe)
    plan = service.compile(service.parse(recipe))
    assert body["total_parameters"] == 10
    assert body["total_bytes"] == len(b"".join(service.stream(plan)))
    assert body["etag"] == plan.etag
    assert body["recipe_id"] == service.parse(recipe).recipe_id
    assert body["forward"] == {}
    assert body["warnings"] == []


def test_parts_hide_the_moments_of_the_whole() -> None:
    parts = {"axis": 0, "of": [{"size": 100, "init": "ones"}, {"size": 300, "init": "xavier"}]}
    recipe = recipe_of(tensor(None, [400, 200], parts=parts))
    row = explained(recipe)["tensors"][0]
    values = service.generate(recipe)["w"].astype(np.float64)
    assert row["mean"] == pytest.approx(values.mean(), abs=1e-3)
    assert row["std"] == pytest.approx(values.std(), abs=1e-3)
    assert [part["scheme"] for part in row["parts"]] == ["ones", "xavier"]
    assert [part["stop"] for part in row["parts"]] == [100, 400]


@pytest.mark.parametrize(
    "first",
    [{"scheme": "constant", "value": 1e200}, {"scheme": "normal", "std": 1e200}],
    ids=["constant", "normal"],
)
def test_moments_of_parts_overflow(first: dict[str, Any]) -> None:
    parts = {"axis": 0, "of": [{"size": 1, "init": first}, {"size": 1, "init": "zeros"}]}
    row = explained(recipe_of(tensor(None, [2], parts=parts, dtype="F64")))["tensors"][0]
    assert 1e199 < row["std"] < 1e200


@pytest.mark.parametrize(("init", "shape"), [("dirac", [2, 2, 0]), ("identity", [0, 3])])
def test_moments_of_nothing_divide_by_zero(init: str, shape: list[int]) -> None:
    assert explained(recipe_of(tensor(init, shape)))["tensors"][0]["std"] == 0


def test_slice_hides_the_full_shape() -> None:
    row = explained(recipe_of(tensor(shape=[8, 2], slice=[[2, 4], None])))["tensors"][0]
    assert (row["shape"], row["full_shape"], row["slice"]) == ([2, 2], [8, 2], [[2, 4], [0, 2]])
