"""Rules, include, parts and slices: what they change and what they must not change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.plan.patterns import matcher
from tests.support import NORMAL, data_of, plan_of, problems_of, recipe_of, tensor


def test_earlier_rule_wins() -> None:
    rules = [{"match": "*", "init": "ones"}, {"match": "w", "init": "zeros"}]
    assert not any(data_of(recipe_of(tensor(), rules=rules)))
    assert any(data_of(recipe_of(tensor(), rules=rules[::-1])))


def test_rule_resets_what_it_does_not_set() -> None:
    rules = [{"match": "*", "dtype": "BF16"}, {"match": "w", "init": "ones"}]
    (planned,) = plan_of(recipe_of(tensor(), rules=rules)).tensors
    assert planned.dtype.name == "BF16"
    assert planned.source.regions[0].scheme.scheme == "ones"


def test_rule_reaches_i64_or_misses_parts() -> None:
    counter = tensor("zeros", [], "n", dtype="I64")
    cut = tensor(parts={"axis": 0, "of": [{"size": 3}, {"size": 4, "init": "zeros"}]})
    rules = [{"match": "*", "dtype": "F16", "init": "ones"}]
    planned = plan_of(recipe_of(counter, cut, rules=rules)).tensors
    assert [t.dtype.name for t in planned] == ["I64", "F16"]
    assert [len(t.source.regions) for t in planned] == [1, 1]


def test_rule_fan_loses_to_the_tensors_or_the_parts() -> None:
    parts = {"axis": 0, "of": [{"size": 2, "fan": {"in": 9, "out": 9}}, {"size": 2}]}
    stated = tensor("lecun", [4, 2], fan={"in": 7, "out": 7})
    cut = tensor("lecun", [4, 2], "v", parts=parts)
    rules = [{"match": "*", "fan": {"in": 4, "out": 4}}]
    planned = plan_of(recipe_of(stated, cut, rules=rules)).tensors
    assert {r.law.moments[1] for t in planned for r in t.source.regions} == {0.5}


@pytest.mark.parametrize("member", ["rules", "include"])
def test_pattern_that_matches_nothing_is_taken(member: str) -> None:
    entry = {"match": "W", "init": "zeros"} if member == "rules" else "W"
    found = problems_of(recipe_of(tensor(), **{member: [entry]}))
    assert "W matches no tensor" in "".join(found.values())


def test_include_changes_values_or_order() -> None:
    tensors = [tensor(name=name) for name in ("b.1", "a.1", "a.2")]
    kept = plan_of(recipe_of(*tensors, include=["a.*"]))
    assert [t.name for t in kept.tensors] == ["a.1", "a.2"]
    alone = data_of(recipe_of(*tensors, include=["a.2"]))
    assert data_of(recipe_of(tensors[2])) == alone
    assert data_of(recipe_of(*tensors)).find(alone) == 28


def test_empty_include_selects_everything() -> None:
    assert "is empty" in problems_of(recipe_of(tensor(), include=[]))["/include"]


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("w", "w", True),
        ("w", "W", False),
        ("w", "ww", False),
        ("*", "", True),
        ("*", "a.b.c", True),
        ("*.bias", ".bias", True),
        ("*.bias", "bias", False),
        ("h.*.w", "h.0.1.w", True),
        ("h.*.w", "h.w", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*ab*", "abab", True),
        ("*ab*ab*", "aba", False),
        ("a.c", "abc", False),
        ("[ab]?", "a1", False),
        ("**", "x", True),
        ("a*b*c", "a1c2b3c", True),
        ("a*b*c", "a1b2", False),
    ],
)
def test_pattern_matches_otherwise(pattern: str, name: str, *, found: bool) -> None:
    assert matcher(pattern)(name) is found


@given(st.lists(st.text("ab", max_size=2), min_size=1, max_size=4), st.text("ab", max_size=8))
def test_pattern_differs_from_a_regular_expression(pieces: list[str], name: str) -> None:
    import re

    expected = re.fullmatch(".*".join(map(re.escape, pieces)), name) is not None
    assert matcher("*".join(pieces))(name) is expected


def test_parts_change_the_draws_of_the_whole() -> None:
    whole = data_of(recipe_of(tensor(shape=[6, 4])))
    parts = {"axis": 1, "of": [{"size": 1}, {"size": 3}]}
    assert data_of(recipe_of(tensor(shape=[6, 4], parts=parts))) == whole


def test_packed_qkv_keeps_the_fans_of_the_whole() -> None:
    parts = {"axis": 0, "of": [{"size": 8, "init": "xavier"}] * 3}
    (planned,) = plan_of(recipe_of(tensor(None, [24, 8], parts=parts))).tensors
    (whole,) = plan_of(recipe_of(tensor("xavier", [24, 8]))).tensors
    (one,) = plan_of(recipe_of(tensor("xavier", [8, 8]))).tensors
    assert {r.law for r in planned.source.regions} == {one.source.regions[0].law}
    assert whole.source.regions[0].law != one.source.regions[0].law


def test_part_without_init_is_taken() -> None:
    parts = {"axis": 0, "of": [{"size": 7}]}
    assert "/tensors/0/parts/of/0" in problems_of(recipe_of(tensor(None, parts=parts)))
    assert not problems_of(recipe_of(tensor(None, parts=parts), init=NORMAL))
