"""Chunks computed ahead are the bytes of the file in order, in bounded memory."""

import hashlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import service
from service.backends import Backend, kernel
from service.numerics.memo import Memo
from service.sources import Drawn
from service.sources.buffers import MIN_BLOCK_BYTES
from service.stream.pipeline import MAX_CHUNK_BYTES, Pipeline
from tests.support import bytes_of, plan_of, recipe_of, tensor, wait_until

PLAN = plan_of(
    recipe_of(
        tensor(shape=[700_001], name="a"),
        tensor("kaiming", [300, 1000], "b", dtype="BF16"),
        *(tensor(shape=[3], name=f"t{i:04}", dtype="F8_E5M2") for i in range(1500)),
    )
)
WHOLE = bytes_of(PLAN)
VAST = plan_of(recipe_of(tensor(shape=[2**36, 8])))
SMALL = Pipeline(threads=2, budget=1 << 20)


class Watched:
    """A backend that records its calls and their threads, and blocks while ``open`` is unset."""

    name = "watched"

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.firsts: list[int] = []
        self.threads: set[str] = set()

    def allocate(self, nbytes: int) -> Any:
        return kernel().allocate(nbytes)

    def fill(self, drawn: Drawn, first: int, out: Any, memo: Memo) -> None:
        self.firsts.append(first)
        self.threads.add(threading.current_thread().name)
        assert self.open.wait(60)
        kernel().fill(drawn, first, out, memo)


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)))
def test_span_is_not_the_wholes(a: int, b: int) -> None:
    start, stop = sorted((a, b))
    with SMALL.chunks(PLAN, (start, stop)) as chunks:
        assert b"".join(chunks) == WHOLE[start:stop]
    assert b"".join(service.stream(PLAN, (start, stop))) == WHOLE[start:stop]


@pytest.mark.parametrize("span", [(-1, 4), (4, 3), (0, len(WHOLE) + 1)])
def test_span_outside_the_file_is_served(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="is not within"):
        next(service.stream(PLAN, span))


@settings(max_examples=25)  # each computes the whole file, and there are 256
@given(st.lists(st.booleans(), min_size=8, max_size=8))
def test_bytes_are_lost_or_doubled_by_a_stall(stalls: list[bool]) -> None:
    found = []
    with Pipeline(threads=2, budget=1 << 20).chunks(PLAN) as chunks:
        for chunk in chunks:
            found.append(bytes(chunk))
            if stalls and stalls.pop():
                chunks.stall()
    assert b"".join(found) == WHOLE


def test_chunk_is_written_over_while_it_is_held() -> None:
    """All chunks are kept, many times the budget, and none changes."""
    plan = plan_of(recipe_of(tensor(shape=[1 << 22])))
    pipeline = Pipeline(threads=2, budget=1 << 20)
    with pipeline.chunks(plan) as chunks:
        held = [(chunk, hashlib.sha256(chunk).digest()) for chunk in chunks]
    assert len(held) > 40
    assert all(hashlib.sha256(chunk).digest() == digest for chunk, digest in held)
    assert b"".join(chunk for chunk, _ in held) == bytes_of(plan)


def test_buffers_are_not_given_back() -> None:
    pipeline = Pipeline(threads=2)
    with pipeline.chunks(PLAN) as chunks:
        assert sum(len(chunk) for chunk in chunks) == PLAN.nbytes
        assert pipeline.buffers.in_use <= 8 * MAX_CHUNK_BYTES
    with pipeline.chunks(VAST) as chunks:
        for _ in range(6):
            future = chunks.take()
            assert future is not None
            assert len(future.result()) == MAX_CHUNK_BYTES
    del future
    assert wait_until(lambda: pipeline.buffers.in_use == 0, 30)


def test_one_tensors_chunks_come_from_one_worker() -> None:
    watched = Watched()
    barrier = threading.Barrier(2)
    threads: set[str] = set()

    def fill(drawn: Drawn, first: int, out: Any, memo: Memo) -> None:
        if len(threads) < 2:
            threads.add(threading.current_thread().name)
            barrier.wait(60)  # passes only when two threads are inside at once
        kernel().fill(drawn, first, out, memo)

    watched.fill = fill  # type: ignore[method-assign]
    plan = plan_of(recipe_of(tensor(shape=[1 << 21])))
    with Pipeline(threads=2, backend=watched).chunks(plan) as chunks:
        assert b"".join(chunks) == bytes_of(plan)
    assert len(threads) == 2


def test_small_stream_waits_for_a_large_one() -> None:
    """Its first chunk waits only for the few chunks that the large stream has in progress."""
    watched = Watched()
    watched.open.clear()
    pipeline = Pipeline(threads=1, backend=watched)
    with pipeline.chunks(VAST) as large, pipeline.chunks(plan_of(recipe_of(tensor()))) as small:
        taken = [large.take() for _ in range(2)]
        first = small.take()
        assert first is not None
        after = [large.take() for _ in range(50)]
        before: list[int] = []
        # Called in the worker before its next task; this thread may wake up later.
        first.add_done_callback(
            lambda _: before.append(sum(future is not None and future.done() for future in after))
        )
        watched.open.set()
        first.result(60)
        assert wait_until(lambda: bool(before), 60)
        assert before[0] < 3
        assert taken[0] is not None
        large.stall()
        for future in after:
            assert future is not None
            future.cancel()


def test_stalled_stream_is_computed_for() -> None:
    watched = Watched()
    pipeline = Pipeline(threads=2, backend=watched)
    with pipeline.chunks(VAST) as chunks:
        for _ in range(4):
            chunk = chunks.take()
            assert chunk is not None
            chunk.result()
        del chunk
        chunks.stall()
        assert wait_until(lambda: pipeline.buffers.in_use == 0, 30)
        done = len(watched.firsts)
        again = chunks.take()
        assert again is not None
        again.result()
        # Only one chunk until the reader has taken it.
        assert pipeline.buffers.in_use == MAX_CHUNK_BYTES
        assert len(watched.firsts) == done + 1


def test_closed_stream_is_computed_for() -> None:
    watched = Watched()
    watched.open.clear()
    pipeline = Pipeline(threads=1, backend=watched)
    with pipeline.chunks(VAST) as chunks:
        futures = [chunks.take() for _ in range(3)]
    for future in futures:
        assert future is not None
        future.cancel()
    watched.open.set()
    pipeline.submit(
        PLAN, 0, np.empty(8, dtype=np.uint8)
    ).result()  # after everything that was queued
    assert len(watched.firsts) <= 1


def test_many_streams_pass_the_budget() -> None:
    pipeline = Pipeline(threads=2, budget=16 << 20)
    streams = [pipeline.chunks(VAST) for _ in range(100)]
    held: list[Any] = []
    for chunks in streams:
        chunks.__enter__()
    for _ in range(4):
        for chunks in streams:
            future = chunks.take()
            assert future is not None
            held.append(future)
            assert pipeline.buffers.in_use <= (16 << 20) + len(held) * MIN_BLOCK_BYTES
    assert {len(future.result()) for future in held} == {MIN_BLOCK_BYTES}
    for chunks in streams:
        chunks.__exit__(None, None, None)
    assert pipeline.chunk == MAX_CHUNK_BYTES


def test_failure_of_a_worker_is_swallowed() -> None:
    class Broken:
        name = "broken"
        allocate = kernel().allocate

        def fill(self, drawn: Drawn, first: int, out: Any, memo: Memo) -> None:
            raise OSError("the device is gone")

    backend: Backend = Broken()
    with (
        Pipeline(threads=1, backend=backend).chunks(PLAN) as chunks,
        pytest.raises(OSError, match="the device is gone"),
    ):
        b"".join(chunks)


def test_first_byte_of_a_vast_tensor_waits_for_the_rest() -> None:
    far = len(VAST.header) + 4 * (2**38)
    (chunk,) = service.stream(VAST, (far, far + 16))
    assert len(chunk) == 16
    assert VAST.nbytes > 2**40


def test_chunk_waits_for_thousands_of_tiny_tensors() -> None:
    plan = plan_of(recipe_of(*(tensor(shape=[1], name=f"{i:05}") for i in range(3000))))
    chunks = [bytes(chunk) for chunk in service.stream(plan)]
    assert max(map(len, chunks)) <= len(plan.header) + 4 * 512
    arrays = service.generate(plan)
    data = b"".join(arrays[planned.name].tobytes() for planned in plan.tensors)
    assert b"".join(chunks) == plan.header + data


FORK = """
import os, service
from service.stream.pipeline import Pipeline
plan = service.compile(service.parse({"seed": 1, "tensors": [
    {"name": "w", "shape": [1 << 24], "init": {"scheme": "normal", "std": 1}}]}))
with Pipeline(threads=1).chunks(plan) as chunks:
    taken = iter(chunks)
    held = next(taken)
    before = bytes(held)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reading, 1)
        try:
            next(taken)
        except RuntimeError:
            os._exit(0 if held == before else 2)
        os._exit(3)
    del held
    for chunk in taken:
        pass
    os.write(writing, b".")
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_forked_process_hangs_or_has_its_chunk_written_over() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], check=False, timeout=60)
    assert done.returncode == 0


def test_buffer_is_written_after_a_failed_fill() -> None:
    """The call returns only when no thread writes to the buffer any more."""
    watched = Watched()
    inside = threading.Event()

    def fill(drawn: Drawn, first: int, out: Any, memo: Memo) -> None:
        if first:
            raise OSError("the device is gone")
        inside.set()
        assert watched.open.wait(60)
        out[:] = 1

    watched.fill = fill  # type: ignore[method-assign]
    watched.open.clear()
    out = np.zeros(8 * MAX_CHUNK_BYTES, dtype=np.uint8)
    with ThreadPoolExecutor(1) as caller:
        pipeline = Pipeline(threads=2, backend=watched)
        filling = caller.submit(pipeline.fill, VAST, len(VAST.header), out)
        assert inside.wait(60)
        watched.open.set()
        with pytest.raises(OSError, match="the device is gone"):
            filling.result(60)
    assert out[:MAX_CHUNK_BYTES].all()
    assert not out[MAX_CHUNK_BYTES:].any()
