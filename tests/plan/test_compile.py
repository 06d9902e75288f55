"""Well-formed recipes that mean nothing: compiling refuses each with its place and a fix."""

import math
from typing import Any

import pytest

from tests.support import NORMAL, plan_of, problems_of, recipe_of, tensor

UNIFORM = {"scheme": "uniform", "low": -1, "high": 1}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "the name is empty"),
        ("__metadata__", "reserved by the file format"),
        ("a\x00b", "U+0000"),
        ("a\nb", "U+000A"),
        ("a\x7f", "U+007F"),
        ("a\x9f", "U+009F"),
        ("a\u202eb", "U+202E"),
        ("a\u2066b", "U+2066"),
        ("\u200f", "U+200F"),
        ("x" * 257, "257 bytes of UTF-8; the limit is 256"),
        ("é" * 129, "258 bytes"),
    ],
    ids=ascii,
)
def test_bad_name_is_taken(name: str, message: str) -> None:
    assert message in problems_of(recipe_of(tensor(name=name)))["/tensors/0/name"]


def test_good_names_are_refused() -> None:
    names = ["x" * 256, "é", "a b", "..", "a/b", "名前", "\u00a0", '"\\']
    plan = plan_of(recipe_of(*(tensor(name=name) for name in names)))
    assert {t.name for t in plan.tensors} == set(names)


def test_duplicate_names_are_taken() -> None:
    found = problems_of(recipe_of(tensor(), tensor("zeros", name="v"), tensor()))
    assert found == {f"/tensors/{i}/name": "2 tensors are called w" for i in (0, 2)}


def test_names_that_only_normalise_alike_are_duplicates() -> None:
    assert len(plan_of(recipe_of(tensor(name="é"), tensor(name="e\u0301"))).tensors) == 2


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        ({"shape": [1] * 9}, "/shape", "9 axes; the limit (max_rank) is 8"),
        ({"shape": [2**40, 2**40]}, "/shape", "2^63 - 1"),
        ({"shape": [2**40, 2**40, 0]}, "/shape", "2^63 - 1"),
        ({"shape": [2, 2], "layout": "KB", "init": "xavier"}, "/init", "neither O nor I"),
        ({"shape": [2, 2], "layout": "OIK"}, "/layout", "has 3 letters, but the shape has 2 axes"),
        ({"slice": [None, None]}, "/slice", "2 entries for 1 axes"),
        ({"slice": [[0, 8]]}, "/slice/0", "stop <= 7"),
        ({"slice": [[5, 4]]}, "/slice/0", "start <= stop"),
        ({"parts": {"axis": 0, "of": []}}, "/parts/of", "at least 1"),
        (
            {"parts": {"axis": 1, "of": [{"size": 7}]}},
            "/parts/axis",
            "there is no axis 1: the shape has 1,",
        ),
        (
            {"parts": {"axis": 0, "of": [{"size": 6}]}},
            "/parts/of",
            "sum to 6, but axis 0 has size 7",
        ),
        ({"dtype": "I64"}, "/init", "I64 tensors can only be zeros"),
        (
            {"init": {"scheme": "constant", "value": 0.5}, "dtype": "I64"},
            "/init",
            "do not all fit I64",
        ),
        ({"init": "xavier"}, "/init", "has no fans"),
        ({"init": "xavier", "fan": {"in": 0, "out": 0}}, "/init", "fan_avg is 0"),
        ({"init": {"scheme": "uniform", "low": 2, "high": 1}}, "/init", "below high"),
        ({"init": {"scheme": "normal", "std": 1e300}}, "/init", "do not all fit F32"),
        (
            {"init": {"scheme": "normal", "std": 1e308}, "dtype": "F64"},
            "/init",
            "finite in float64",
        ),
        (
            {"init": {"scheme": "uniform", "low": -7e4, "high": 0}, "dtype": "F16"},
            "/init",
            "fit F16",
        ),
        ({"init": {"scheme": "normal", "std": 75}, "dtype": "F8_E4M3"}, "/init", "fit F8_E4M3"),
        (
            {"init": {"scheme": "truncated_normal", "std": 1, "bounds": [6, 7]}},
            "/init",
            "2^32 words",
        ),
    ],
    ids=str,
)
def test_meaningless_tensor_is_taken(change: dict[str, Any], pointer: str, message: str) -> None:
    found = problems_of(recipe_of({**tensor(), **change}))
    assert message in found[f"/tensors/0{pointer}"]


@pytest.mark.parametrize(
    ("init", "dtype"),
    [
        ({"scheme": "uniform", "low": -448, "high": 448}, "F8_E4M3"),
        ({"scheme": "uniform", "low": -65504, "high": 65504}, "F16"),
        ({"scheme": "constant", "value": 464}, "F8_E4M3"),
        ({"scheme": "constant", "value": 3.4028235e38}, "F32"),
        ({"scheme": "normal", "std": 73}, "F8_E4M3"),
    ],
    ids=str,
)
def test_law_that_just_fits_is_refused(init: Any, dtype: str) -> None:
    assert not problems_of(recipe_of(tensor(init, dtype=dtype)))


@pytest.mark.parametrize("shape", [[], [0], [3, 0, 2]])
@pytest.mark.parametrize("init", ["zeros", NORMAL, UNIFORM], ids=str)
def test_scalar_or_empty_tensor_is_refused(shape: list[int], init: Any) -> None:
    plan = plan_of(recipe_of(tensor(init, shape)))
    assert plan.total_parameters == math.prod(shape)


def test_tensor_without_init_is_taken() -> None:
    bare = tensor(None)
    assert "no init" in problems_of(recipe_of(bare))["/tensors/0"]
    assert not problems_of(recipe_of(bare, init="zeros"))
    assert not problems_of(recipe_of(bare, rules=[{"match": "w", "init": "zeros"}]))


def test_default_init_hides_where_it_fails() -> None:
    found = problems_of(recipe_of(tensor(None), tensor(None, [2, 2], "v"), init="xavier"))
    assert list(found) == ["/init"]
    assert found["/init"].startswith("w: ")


def test_empty_recipe_is_taken() -> None:
    assert "state tensors, layers or a model" in problems_of(recipe_of())["/tensors"]


@pytest.mark.parametrize(
    ("limits", "recipe", "pointer", "message"),
    [
        ({"max_tensors": 1}, recipe_of(tensor(), tensor(name="v")), "/tensors", "2 tensors"),
        ({"max_total_bytes": 27}, recipe_of(tensor()), "/tensors", "28 bytes of tensors"),
        ({"max_header_bytes": 63}, recipe_of(tensor()), "/tensors", "64 bytes of header"),
        (
            {"max_metadata_bytes": 3},
            recipe_of(tensor(), metadata={"é": "xy"}),
            "/metadata",
            "4 bytes",
        ),
        ({"max_rank": 0}, recipe_of(tensor()), "/tensors/0/shape", "1 axes"),
        (
            {"max_parts": 1},
            recipe_of(tensor(parts={"axis": 0, "of": [{"size": 3}, {"size": 4}]})),
            "/tensors/0/parts/of",
            "2 parts",
        ),
        (
            {"max_truncations": 1},
            recipe_of(
                *(tensor({"scheme": "truncated_normal", "std": s}, name=str(s)) for s in (1, 2))
            ),
            "/tensors",
            "2 different truncated_normal inits",
        ),
        (
            {"max_tensors": 2},
            recipe_of(tensor(parts={"axis": 0, "of": [{"size": 2}, {"size": 2}, {"size": 3}]})),
            "/tensors",
            "3 parts in all",
        ),
        (
            {"max_matches": 1},
            recipe_of(tensor(), include=["*", "w*"]),
            "/rules",
            "2 matches to try",
        ),
    ],
)
def test_limit_is_passed_or_unnamed(
    limits: dict[str, int], recipe: Any, pointer: str, message: str
) -> None:
    detail = problems_of(recipe, **limits)[pointer]
    ((name, value),) = limits.items()
    assert message in detail
    assert f"({name}) is" in detail
    assert str(value) in detail
    assert not problems_of(recipe)


def test_total_limit_counts_what_is_left_out() -> None:
    recipe = recipe_of(tensor(), tensor(shape=[10**6], name="big"), include=["w"])
    assert not problems_of(recipe, max_total_bytes=28)
    sliced = recipe_of(tensor(shape=[2**40], slice=[[2**39, 2**39 + 7]]))
    assert not problems_of(sliced, max_total_bytes=28)


def test_reserved_metadata_is_taken() -> None:
    found = problems_of(recipe_of(tensor(), metadata={"tensorseed.a/b": "1"}))
    assert "reserved for the service" in found["/metadata/tensorseed.a~1b"]


def test_std_that_the_dtype_cannot_show_goes_unsaid() -> None:
    (warning,) = plan_of(recipe_of(tensor({"scheme": "normal", "std": 1e-6}, dtype="F16"))).warnings
    assert "below F16's smallest normal value" in warning.detail
    assert not plan_of(recipe_of(tensor(dtype="F16"))).warnings


def test_warnings_grow_without_bound() -> None:
    tensors = [tensor({"scheme": "normal", "std": 1e-40}, name=f"w{i}") for i in range(50)]
    warnings = plan_of(recipe_of(*tensors)).warnings
    assert len(warnings) == 21
    assert "30 more" in warnings[-1].detail
