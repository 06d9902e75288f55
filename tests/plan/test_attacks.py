"""Recipes that once broke the service: now each gives a file or a clear error."""

import json
from typing import Any

import numpy as np
import pytest

import service
from tests.support import data_of, plan_of, problems_of, recipe_of, slabs_taken, tensor

_TURNED: dict[str, Any] = {"layout": "OI", "draw": {"name": "x", "layout": "IO"}}
_HALVES = {"axis": 0, "of": [{"size": 2, "init": "zeros"}, {"size": 2, "init": "ones"}]}
_HUGE = 1e200


def explained(recipe: dict[str, Any]) -> Any:
    """Return the body of a plan, which must be strict JSON."""
    parsed = service.parse(recipe)
    body = service.explain(parsed, service.compile(parsed))
    return json.loads(json.dumps(body, allow_nan=False))


@pytest.mark.parametrize(
    "one",
    [
        tensor({"scheme": "orthogonal", "gain": _HUGE}, (2, 2), dtype="F64"),
        tensor({"scheme": "normal", "std": _HUGE}, (2, 2), dtype="F64"),
        tensor({"scheme": "uniform", "low": -_HUGE, "high": _HUGE}, (2, 2), dtype="F64"),
        tensor({"scheme": "sparse", "sparsity": 0.5, "std": _HUGE}, (2, 2), dtype="F64"),
        tensor("lecun", (4, 6), slice=[[0, 0], None], parts=_HALVES, **_TURNED),
        tensor("zeros", (0, 4), **_TURNED),
        tensor(
            "zeros",
            (0, 8, 1),
            layout="OHI",
            draw={"name": "d", "layout": "IHO"},
            parts={"axis": 1, "of": [{"size": 4, "init": "ones"}, {"size": 4}]},
        ),
        tensor("zero", (4, 2, 3), parts={"axis": 2, "of": [{"size": 0}, {"size": 3}]}),
        tensor({"scheme": "chrono", "t_max": 2.0000001}, (8,), dtype="F64"),
    ],
    ids=lambda one: json.dumps(one)[:70],
)
def test_plan_or_file_breaks(one: dict[str, Any]) -> None:
    recipe = recipe_of(one)
    planned = explained(recipe)
    body = b"".join(service.stream(plan_of(recipe)))
    assert planned["total_bytes"] == len(body)


@pytest.mark.parametrize("empty", ["first", "middle", "last"])
def test_empty_turned_tensor_breaks_its_neighbours(empty: str) -> None:
    names = {"first": "a", "middle": "m", "last": "z"}
    held = tensor("lecun", (4, 4), name=names[empty], slice=[[1, 1], None], **_TURNED)
    others = [tensor("ones", (3,), name=name) for name in ("b", "y")]
    assert np.frombuffer(data_of(recipe_of(held, *others)), dtype="<f4").tolist() == [1.0] * 6


@pytest.mark.parametrize(
    ("members", "pointer", "message"),
    [
        (
            {"model": {"preset": "resnet18"}, "model_scheme": {"base": {"hidden_sizes": [4, 4]}}},
            "/model_scheme/base",
            "2 sizes for 4 depths",
        ),
        (
            {"model": {"preset": "t5-small"}, "model_scheme": {"base": {"model_type": "bert"}}},
            "/model_scheme",
            "no tensor depends on model_type",
        ),
        (
            {"model": {"preset": "gpt2", "model_type": "bert"}},
            "/model/model_type",
            "has the model_type gpt2",
        ),
        ({"model": {"preset": "gpt2", "n_layer": "12"}}, "/model/n_layer", '(given: "12")'),
        (
            {"layers": [{"name": "a", "type": "linear", "linear": 4}]},
            "/layers/0/linear",
            "unknown key linear",
        ),
        (
            {"tensors": [tensor("delta_orthogonal", (3, 3, 3), layout="OKK")]},
            "/tensors/0/init",
            "an axis of inputs",
        ),
        (
            {"tensors": [tensor("orthogonal", (5000, 2, 2), layout="BOI")]},
            "/tensors/0/init",
            "(max_matrices) is 4096",
        ),
        (
            {"tensors": [tensor("bilinear", (1, 1, 5000, 5000))]},
            "/tensors/0/init",
            "1 to 4096 a side",
        ),
        (
            {"tensors": [tensor({"scheme": "chrono", "t_max": 1e308}, (8,))]},
            "/tensors/0/init/t_max",
            "less than or equal to",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_mistake_is_a_defect_of_the_service(
    members: dict[str, Any], pointer: str, message: str
) -> None:
    if isinstance(scheme := members.get("model_scheme"), dict):
        scheme.setdefault("scheme", "mup")
    found = problems_of({"seed": 1, **members})
    assert message in found[pointer], found


def test_configs_dtype_of_another_type_is_a_defect() -> None:
    small = {"preset": "gpt2", "n_layer": 1, "n_embd": 12, "vocab_size": 9}
    plan = plan_of({"seed": 1, "model": {**small, "torch_dtype": [1]}})
    assert "is ignored" in plan.warnings[0].detail


@pytest.mark.parametrize("axis", [0, 1])
def test_long_line_is_ranked_otherwise(monkeypatch: pytest.MonkeyPatch, axis: int) -> None:
    from service.catalogue.distributions import sparse

    init = {"scheme": "sparse", "sparsity": 0.3, "axis": axis}
    recipe = recipe_of(tensor(init, (700, 300)))
    whole = data_of(recipe)
    monkeypatch.setattr(sparse, "_PIECE", 64)
    assert data_of(recipe) == whole


def test_matrices_side_by_side_are_made_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from service.catalogue.distributions import orthogonal
    from service.numerics import reflections

    factored: list[int] = []
    factor = reflections.orthonormal

    def counted(matrix: np.ndarray, columns: int, steps: Any) -> None:
        factored.append(columns)
        factor(matrix, columns, steps)

    monkeypatch.setattr(orthogonal, "orthonormal", counted)
    parts = {"axis": 1, "of": [{"size": 32}] * 8}
    data_of(recipe_of(tensor("orthogonal", (1024, 256), parts=parts)))
    assert factored == [32] * 8


def test_thin_transposed_tensor_takes_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = slabs_taken(monkeypatch)
    held = tensor("lecun", (2, 3_000_000), layout="IO", draw={"name": "x", "layout": "OI"})
    drawn = tensor("lecun", (3_000_000, 2), name="x")
    both = service.generate(recipe_of(held, drawn))
    assert (both["w"] == both["x"].T).all()
    assert max(taken) <= 4 << 20
