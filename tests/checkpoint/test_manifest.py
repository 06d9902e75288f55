"""Digests: the same for any sizes of chunks."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import service
from service.checkpoint.files import WeightFile
from service.checkpoint.manifest import Digests, digests, manifest
from service.limits import Limits
from service.plan.layout import rank_share, split_shards
from service.stream.pipeline import MAX_CHUNK_BYTES, Pipeline, shared
from tests.plan.test_layout import recipes
from tests.support import bytes_of, file_of, plan_of, recipe_of, tensor

EMPTY = hashlib.sha256(b"").hexdigest()


class Cut:
    """A fake pipeline that returns a file in chunks of given sizes.

    Args:
        cuts: Sizes of the chunks in bytes, repeated.
    """

    def __init__(self, cuts: Sequence[int]) -> None:
        self.cuts = cuts

    @contextmanager
    def chunks(self, plan: service.Plan) -> Iterator[Iterator[memoryview]]:
        yield self._chunks(memoryview(bytes_of(plan)))

    def _chunks(self, body: memoryview) -> Iterator[memoryview]:
        at = index = 0
        while at < len(body):
            size = self.cuts[index % len(self.cuts)]
            yield body[at : at + size]
            at, index = at + size, index + 1


def found_of(plan: service.Plan, cuts: Sequence[int]) -> Digests:
    return digests(plan, cast("Pipeline", Cut(cuts)), lambda _: None)


def expected(plan: service.Plan) -> Digests:
    """Return the digests, computed from the whole file."""
    body = bytes_of(plan)
    data = memoryview(body)[len(plan.header) :]
    return {
        "sha256": hashlib.sha256(body).hexdigest(),
        "tensors": [hashlib.sha256(data[t.begin : t.end]).hexdigest() for t in plan.tensors],
    }


@given(recipes(), st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_cuts_of_the_chunks_reach_the_digests(recipe: dict[str, Any], cuts: list[int]) -> None:
    plan = plan_of(recipe)
    assert found_of(plan, cuts) == expected(plan)


@pytest.mark.parametrize("place", range(4))
def test_tensor_without_bytes_shifts_the_others(place: int) -> None:
    """First, in the middle, last, or several of them: at the border of a chunk, too."""
    shapes: list[list[int]] = [[3], [5], [2]]
    shapes.insert(place, [0])
    for more in ([], [[0, 2], [0]]):
        names = enumerate([*shapes[:place], *more, *shapes[place:]])
        plan = plan_of(recipe_of(*(tensor(shape=shape, name=f"t{i}") for i, shape in names)))
        right = expected(plan)
        assert right["tensors"].count(EMPTY) == 1 + len(more)
        for size in range(1, plan.nbytes + 1):
            assert found_of(plan, [size]) == right


def test_file_of_empty_tensors_or_of_none_has_no_digests() -> None:
    empty = plan_of(recipe_of(tensor(shape=[0], name="a"), tensor(shape=[4, 0], name="b")))
    nothing = rank_share(plan_of(recipe_of(tensor())), 0, 2)
    for size in (1, 8, len(empty.header), 1000):
        assert found_of(empty, [size]) == expected(empty)
        assert found_of(nothing, [size]) == {**expected(nothing), "tensors": []}
    assert found_of(empty, [7])["tensors"] == [EMPTY, EMPTY]


def test_digests_are_not_those_of_what_the_library_generates() -> None:
    """Through the real pipeline, over several of its largest chunks."""
    recipe = recipe_of(
        tensor(shape=[MAX_CHUNK_BYTES // 4 + 3], name="a"),
        tensor(shape=[MAX_CHUNK_BYTES], name="b", dtype="BF16"),
        tensor("orthogonal", [30, 20], "c"),
        tensor(shape=[0], name="d"),
        *(tensor("ones", [1], f"e{i:03}", dtype="F16") for i in range(300)),
    )
    plan, counted = plan_of(recipe), list[int]()
    found = digests(plan, shared(), counted.append)
    body, arrays = file_of(recipe), service.generate(recipe)
    assert found["sha256"] == hashlib.sha256(body).hexdigest()
    assert sum(counted) == len(body)
    assert len(counted) > 2
    for planned, digest in zip(plan.tensors, found["tensors"], strict=True):
        assert digest == hashlib.sha256(arrays[planned.name].tobytes()).hexdigest()


def test_work_goes_on_once_nobody_waits() -> None:
    class Gone(Exception):
        pass

    seen = list[int]()

    def advance(size: int) -> None:
        seen.append(size)
        raise Gone

    pipeline = Pipeline(2)
    plan = plan_of(recipe_of(tensor(shape=[1 << 34])))
    with pytest.raises(Gone):
        digests(plan, pipeline, advance)
    assert len(seen) == 1
    assert not pipeline.active


@given(recipes(), st.integers(1, 400))
def test_manifest_does_not_describe_its_files(recipe: dict[str, Any], size: int) -> None:
    shards = split_shards(plan_of(recipe), size, Limits())
    files = [WeightFile(f"{i}.safetensors", shard) for i, shard in enumerate(shards)]
    listed = json.loads(manifest([(file, expected(file.plan)) for file in files]))["files"]
    for file, entry in zip(files, listed, strict=True):
        body = bytes_of(file.plan)
        header = json.loads(body[8 : len(file.plan.header)])
        header.pop("__metadata__", None)
        assert (entry["name"], entry["etag"]) == (file.name, file.etag)
        assert entry["bytes"] == len(body) == file.nbytes
        assert entry["sha256"] == hashlib.sha256(body).hexdigest()
        assert set(entry["tensors"]) == set(header)
        for name, described in entry["tensors"].items():
            start, stop = described["data_offsets"]
            data = body[len(file.plan.header) :][start:stop]
            assert described.pop("sha256") == hashlib.sha256(data).hexdigest()
            assert described == header[name]
