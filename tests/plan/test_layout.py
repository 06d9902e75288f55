"""Parts of a plan: every tensor has the same bytes as in the whole file."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import deserialize

import service
from service.limits import Limits
from service.numerics.cast import DTYPES
from service.plan.layout import keep_matching, rank_share, split_shards
from tests.support import bytes_of, plan_of, recipe_of, tensor

LIMITS = Limits()
NAMES = st.text(st.sampled_from("ab.0é名"), min_size=1, max_size=4)
Contents = dict[str, tuple[str, list[int], bytes]]


@st.composite
def tensors(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A tensor of any dtype; it may be empty, a scalar, a slice, or have parts."""
    dtype = draw(st.sampled_from(sorted(DTYPES)))
    shape = draw(st.lists(st.integers(0, 5), max_size=3))
    inits = ["zeros", "ones", {"scheme": "constant", "value": 3}]
    if dtype != "I64":
        inits += [{"scheme": "normal", "std": 0.02}, {"scheme": "uniform", "low": 0, "high": 1}]
    result = tensor(draw(st.sampled_from(inits)), shape, name, dtype=dtype)
    if len(shape) > 0 and draw(st.booleans()):
        half = draw(st.integers(0, shape[0]))
        parts = [{"size": half, "init": "ones"}, {"size": shape[0] - half}]
        result["parts"] = {"axis": 0, "of": parts}
    if len(shape) > 0 and draw(st.booleans()):
        cuts = [sorted(draw(st.tuples(*[st.integers(0, size)] * 2))) for size in shape]
        result["slice"] = [draw(st.sampled_from([None, cut])) for cut in cuts]
    return result


@st.composite
def recipes(draw: st.DrawFn) -> dict[str, Any]:
    """A recipe of a few such tensors, with or without metadata."""
    names = draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))
    metadata = draw(st.sampled_from([{}, {"format": "pt"}]))
    seed = draw(st.sampled_from([0, 7, 2**64 - 1]))
    return recipe_of(*(draw(tensors(name)) for name in names), seed=seed, metadata=metadata)


def contents(plan: service.Plan) -> Contents:
    """Return a file's tensors by name, in file order, as the official reader reads them."""
    body = bytes_of(plan)
    assert len(body) == plan.nbytes
    found = {name: (t["dtype"], t["shape"], bytes(t["data"])) for name, t in deserialize(body)}
    assert sorted(found) == sorted(tensor.name for tensor in plan.tensors)
    return {tensor.name: found[tensor.name] for tensor in plan.tensors}


def data(plan: service.Plan) -> bytes:
    return bytes_of(plan, (len(plan.header), plan.nbytes))


def check_pieces(whole: service.Plan, pieces: list[service.Plan]) -> None:
    """Check that the pieces in order are the whole: no tensor is missing or duplicated."""
    tensors = [item for piece in pieces for item in contents(piece).items()]
    assert tensors == list(contents(whole).items())
    assert b"".join(map(data, pieces)) == data(whole)
    assert all(piece.metadata == whole.metadata for piece in pieces)


@given(recipes(), st.data())
def test_included_tensor_has_other_bytes(recipe: dict[str, Any], chosen: st.DataObject) -> None:
    whole = plan_of(recipe)
    names = [tensor.name for tensor in whole.tensors]
    kept = set(chosen.draw(st.lists(st.sampled_from(names), min_size=1)))
    part = keep_matching(whole, sorted(kept), LIMITS)
    assert list(contents(part).items()) == [i for i in contents(whole).items() if i[0] in kept]
    assert (part.etag == whole.etag) == (len(kept) == len(names))


@given(recipes(), st.integers(1, 12))
def test_ranks_lose_a_tensor_or_have_it_twice(recipe: dict[str, Any], world: int) -> None:
    whole = plan_of(recipe)
    check_pieces(whole, [rank_share(whole, rank, world) for rank in range(world)])


@given(recipes())
def test_huge_world_loses_a_tensor(recipe: dict[str, Any]) -> None:
    """The most ranks that are allowed: those with tensors have all tensors of the whole file."""
    whole = plan_of(recipe)
    world = 2**31 - 1
    total = max(1, whole.nbytes - len(whole.header))
    middles = {min(world - 1, (t.begin + t.end) * world // (2 * total)) for t in whole.tensors}
    check_pieces(whole, [rank_share(whole, rank, world) for rank in sorted(middles)])


@given(recipes(), st.integers(1, 700))
def test_shards_lose_a_tensor_or_are_too_large(recipe: dict[str, Any], size: int) -> None:
    whole = plan_of(recipe)
    shards = split_shards(whole, size, LIMITS)
    check_pieces(whole, shards)
    for shard in shards:
        assert len(shard.tensors) == 1 or shard.tensors[-1].end <= size
    for one, other in pairwise(shards):  # the next tensor would not have fitted
        assert one.tensors[-1].end + other.tensors[0].nbytes > size


@given(recipes(), st.integers(1, 9), st.integers(1, 700))
def test_tags_differ_where_files_do_not_or_agree_where_they_do(
    recipe: dict[str, Any], world: int, size: int
) -> None:
    whole = plan_of(recipe)
    files = [whole, *(rank_share(whole, rank, world) for rank in range(world))]
    files += split_shards(whole, size, LIMITS)
    files += [keep_matching(whole, [tensor.name], LIMITS) for tensor in whole.tensors]
    files += [keep_matching(whole, ["*"], LIMITS)]
    bodies = {file.etag: bytes_of(file) for file in files}
    assert all(bodies[file.etag] == bytes_of(file) for file in files)
    assert len(set(bodies.values())) == len(bodies)


@given(recipes(), st.integers(1, 4), st.integers(1, 300))
def test_cut_of_a_cut_has_other_bytes(recipe: dict[str, Any], world: int, size: int) -> None:
    whole = plan_of(recipe)
    first = keep_matching(whole, [whole.tensors[0].name, whole.tensors[-1].name], LIMITS)
    shares = [rank_share(first, rank, world) for rank in range(world)]
    check_pieces(first, shares)
    for share in shares:
        check_pieces(share, split_shards(share, size, LIMITS))


@pytest.mark.parametrize("metadata", [{}, {"format": "pt"}])
def test_rank_without_tensors_is_no_file(metadata: dict[str, str]) -> None:
    nothing = rank_share(plan_of(recipe_of(tensor(), metadata=metadata)), 0, 2)
    assert nothing.tensors == ()
    assert deserialize(bytes_of(nothing)) == []
    assert nothing.total_parameters == 0
    assert [shard.etag for shard in split_shards(nothing, 1, LIMITS)] == [nothing.etag]


def test_ranks_hold_unlike_many_bytes() -> None:
    """If tensors are small, a rank exceeds its share by at most half a tensor."""
    whole = plan_of(recipe_of(*(tensor(shape=[25], name=f"t{i:03}") for i in range(1000))))
    for world in (2, 3, 7, 64):
        shares = [rank_share(whole, rank, world).total_parameters * 4 for rank in range(world)]
        assert max(shares) - min(shares) <= 2 * 100


def test_shards_are_not_as_full_as_their_size_allows() -> None:
    whole = plan_of(recipe_of(*(tensor(shape=[10], name=f"t{i}") for i in range(9))))
    for size, counts in ((39, [1] * 9), (40, [1] * 9), (79, [1] * 9), (80, [2] * 4 + [1])):
        assert [len(shard.tensors) for shard in split_shards(whole, size, LIMITS)] == counts
    assert len(split_shards(whole, 360, LIMITS)) == 1
    assert len(split_shards(whole, 359, LIMITS)) == 2


def test_pattern_that_matches_nothing_leaves_an_empty_file() -> None:
    whole = plan_of(recipe_of(tensor()))
    with pytest.raises(service.InvalidRecipe) as caught:
        keep_matching(whole, ["w", "v.*"], LIMITS)
    (problem,) = caught.value.problems
    assert problem.pointer == "/include/1"
    assert "v.* matches no tensor" in problem.detail


def test_patterns_that_take_long_are_tried() -> None:
    whole = plan_of(recipe_of(*(tensor(shape=[1], name=f"t{i}") for i in range(100))))
    with pytest.raises(service.InvalidRecipe, match="max_matches"):
        keep_matching(whole, ["*t*"] * 10, Limits(max_matches=1999))
    assert keep_matching(whole, ["*t*"] * 10, Limits(max_matches=2000)).etag == whole.etag


def test_more_shards_than_the_limit_are_made() -> None:
    whole = plan_of(recipe_of(*(tensor(shape=[10], name=f"t{i}") for i in range(9))))
    assert len(split_shards(whole, 40, Limits(max_shards=9))) == 9
    with pytest.raises(service.InvalidRecipe) as caught:
        split_shards(whole, 40, Limits(max_shards=8))
    (problem,) = caught.value.problems
    assert problem.pointer == "/shard_size"
    assert "max_shards" in problem.detail
