"""The way of every body: worker threads compute chunks ahead of whoever takes them."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.backends import Backend
from service.backends import backend as chosen
from service.plan import Plan
from service.sources import transposed
from service.sources.buffers import SMALLEST, Buffers
from service.stream.fill import fill, reach

LARGEST = 1 << 21
"""Most bytes a chunk: larger ones are no faster, and a stop waits for one."""

_HELD = 8
"""Chunks that one stream may hold at once: ahead, on the way, and in the transport."""


class Pipeline:
    """Threads and buffers that all streams of a process share.

    Chunks are computed in the order in which streams ask for them, so many streams take turns
    chunk by chunk; and chunks get smaller as streams get more, so that all stay within the budget.

    Args:
        threads: How many compute at once; the cores if left out.
        budget: Bytes of chunks that all streams together may hold.
        backend: Where to compute; `backends.backend` chooses if left out.
    """

    def __init__(
        self, threads: int | None = None, budget: int = 1 << 28, backend: Backend | None = None
    ) -> None:
        self.threads = threads or os.cpu_count() or 1
        self.backend = backend or chosen()
        self.buffers = Buffers(budget, self.backend.allocate)
        self.active: set[Chunks] = set()
        self._process = os.getpid()
        self._workers = ThreadPoolExecutor(self.threads, thread_name_prefix="tensorseed")
        # Apart, so that a matrix that takes seconds holds up nobody else's chunks.
        self._slow_workers = ThreadPoolExecutor(self.threads, thread_name_prefix="tensorseed-slow")

    def chunks(self, plan: Plan, span: tuple[int, int] | None = None) -> "Chunks":
        """Return the file's bytes as chunks, to be used as a context manager.

        Args:
            plan: The file.
            span: [start, stop) in bytes of the file; all of it if left out.

        Raises:
            ValueError: The span does not lie in the file.
        """
        return Chunks(self, plan, span or (0, plan.nbytes))

    def head(self, plan: Plan) -> memoryview:
        """Return the file's first bytes, at most 64 KiB, computed by the calling thread."""
        most = len(plan.header) if plan.is_slow else min(plan.nbytes, reach(plan, 0))
        out = np.empty(min(SMALLEST, most), dtype=np.uint8)
        fill(plan, 0, out, self.backend)
        return out.data

    def fill(self, plan: Plan, offset: int, out: NDArray[np.uint8]) -> None:
        """Write the file's bytes from ``offset`` on into ``out``, all threads at once.

        Args:
            plan: The file.
            offset: Of the first byte; ``offset + len(out)`` lies within the file.
            out: uint8, shape (bytes,). Nobody writes into it any more on return, by error too.
        """
        if len(out) <= SMALLEST:
            fill(plan, offset, out, self.backend)
            return
        pieces = [
            self.submit(plan, offset + at, out[at : at + LARGEST])
            for at in range(0, len(out), LARGEST)
        ]
        try:
            for piece in pieces:
                piece.result()
        finally:
            for piece in pieces:
                piece.cancel()
            wait(pieces)

    def submit(self, plan: Plan, offset: int, out: NDArray[np.uint8]) -> "Future[memoryview]":
        """Have a worker write the file's bytes from ``offset`` on into ``out``.

        Args:
            plan: The file.
            offset: Of the first byte; ``offset + len(out)`` lies within the file.
            out: uint8, shape (bytes,).

        Raises:
            RuntimeError: The process was forked since.
        """
        self.require_own_process()
        plan.memo.keep(self.threads + 2)
        workers = self._slow_workers if plan.is_slow else self._workers
        return workers.submit(_filled, plan, offset, out, self.backend)

    def require_own_process(self) -> None:
        """Check that the threads are here.

        Raises:
            RuntimeError: They stayed behind when this process was forked.
        """
        if os.getpid() != self._process:
            raise RuntimeError("a stream does not go on in a forked process: begin another there")

    @property
    def chunk(self) -> int:
        """Bytes of a chunk with as many streams as there are."""
        share = self.buffers.budget // (_HELD * max(1, len(self.active)))
        return min(LARGEST, max(SMALLEST, 1 << (share.bit_length() - 1)))

    @property
    def ahead(self) -> int:
        """Chunks of one stream under way at once: one alone keeps all workers busy."""
        return max(2, -(-(self.threads + 2) // max(1, len(self.active))))


def _filled(plan: Plan, offset: int, out: NDArray[np.uint8], backend: Backend) -> memoryview:
    fill(plan, offset, out, backend)
    return out.data


class Chunks:
    """One stream: bytes in order, the next ones under way while one is taken.

    Chunks belong to whoever takes them and are not written again while anyone holds them. One
    thread at a time may call it.

    Args:
        pipeline: What computes.
        plan: The file.
        span: [start, stop) in bytes of the file.

    Raises:
        ValueError: The span does not lie in the file.
    """

    def __init__(self, pipeline: Pipeline, plan: Plan, span: tuple[int, int]) -> None:
        start, stop = span
        if not 0 <= start <= stop <= plan.nbytes:
            raise ValueError(f"span {start}:{stop} is not within the file's {plan.nbytes} bytes")
        self._pipeline = pipeline
        self._plan = plan
        self._next, self._stop = start, stop
        self._under_way: deque[tuple[int, Future[memoryview]]] = deque()
        self._window = self._ahead

    def __enter__(self) -> Self:
        self._pipeline.active.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pipeline.active.discard(self)
        self.stall()
        self._plan.memo.clear()
        if not self._pipeline.active:
            transposed.MEMORY.trim()

    def __iter__(self) -> Iterator[memoryview]:
        while future := self.take():
            yield future.result()

    def take(self) -> "Future[memoryview] | None":
        """Return the next chunk, computed or under way; None after the last.

        Raises:
            RuntimeError: The process was forked since.
        """
        self._pipeline.require_own_process()
        while self._next < self._stop and self._may_start():
            size = min(self._pipeline.chunk, self._stop - self._next, reach(self._plan, self._next))
            out = self._pipeline.buffers.take(size)
            future = self._pipeline.submit(self._plan, self._next, out)
            self._under_way.append((self._next, future))
            self._next += size
        # After a stall, chunks are computed ahead only as far as the reader has shown to keep up.
        self._window = min(self._window + 1, self._ahead)
        return self._under_way.popleft()[1] if self._under_way else None

    @property
    def _ahead(self) -> int:
        # Of what takes seconds one chunk at a time: the next would only wait for the same result,
        # and keep a worker from another stream.
        return 1 if self._plan.is_slow else self._pipeline.ahead

    def _may_start(self) -> bool:
        if not self._under_way:
            return True  # whatever the others hold, every stream moves
        pipeline = self._pipeline
        return len(self._under_way) < self._window and pipeline.buffers.affords(pipeline.chunk)

    def stall(self) -> None:
        """Give back what is computed ahead: the reader does not take it. `take` makes it anew."""
        self._window = 1
        if self._under_way:
            self._next = self._under_way[0][0]
        for _, future in self._under_way:
            future.cancel()
        self._under_way.clear()


@lru_cache(maxsize=1)
def shared() -> Pipeline:
    """Return the pipeline of those who bring none; a forked process makes its own."""
    return Pipeline()


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=shared.cache_clear)


def stream(plan: Plan, span: tuple[int, int] | None = None) -> Iterator[memoryview]:
    """Yield a planned file's bytes in order, computed ahead by all cores in constant memory.

    Args:
        plan: The file.
        span: [start, stop) in bytes of the file; all of it if left out.

    Yields:
        Chunks that belong to the caller: they are not written again while anyone holds them.

    Raises:
        ValueError: The span does not lie in the file.
        RuntimeError: The process was forked since the first chunk.
    """
    with shared().chunks(plan, span) as chunks:
        yield from chunks
