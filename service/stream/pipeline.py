"""The pipeline of all files that are sent or written: worker threads compute chunks ahead."""

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
from service.backends import backend as default_backend
from service.plan import Plan
from service.sources import transposed
from service.sources.buffers import MIN_BLOCK_BYTES, Buffers
from service.stream.fill import fill, max_chunk_bytes

MAX_CHUNK_BYTES = 1 << 21
"""The most bytes in a chunk: larger ones are not faster, and an abort waits for one chunk."""

_CHUNKS_PER_STREAM = 8
"""The number of chunks that one stream may hold: computed ahead, in progress or being sent."""


class Pipeline:
    """The thread pool and the buffers that all streams of a process share.

    Chunks are computed in the order in which streams request them, so streams take turns chunk by
    chunk. The more streams there are, the smaller their chunks, so that all stay within the budget.

    Args:
        threads: Number of worker threads; the number of cores if left out.
        budget: The most bytes of chunks that all streams together may hold.
        backend: Computes the values; chosen by `backends.backend` if left out.
    """

    def __init__(
        self, threads: int | None = None, budget: int = 1 << 28, backend: Backend | None = None
    ) -> None:
        self.threads = threads or os.cpu_count() or 1
        self.backend = backend or default_backend()
        self.buffers = Buffers(budget, self.backend.allocate)
        self.active: set[Chunks] = set()
        self._process = os.getpid()
        self._workers = ThreadPoolExecutor(self.threads, thread_name_prefix="tensorseed")
        # A separate pool, so that a matrix that takes seconds does not delay other streams.
        self._slow_workers = ThreadPoolExecutor(self.threads, thread_name_prefix="tensorseed-slow")

    def chunks(self, plan: Plan, span: tuple[int, int] | None = None) -> "Chunks":
        """Return the file's bytes as chunks. Use the result as a context manager.

        Args:
            plan: The file.
            span: [start, stop) in bytes of the file; all of it if left out.

        Raises:
            ValueError: The span is not within the file.
        """
        return Chunks(self, plan, span or (0, plan.nbytes))

    def head(self, plan: Plan) -> memoryview:
        """Compute the file's first bytes in the calling thread, at most 64 KiB."""
        size = len(plan.header) if plan.is_slow else min(plan.nbytes, max_chunk_bytes(plan, 0))
        out = np.empty(min(MIN_BLOCK_BYTES, size), dtype=np.uint8)
        fill(plan, 0, out, self.backend)
        return out.data

    def fill(self, plan: Plan, offset: int, out: NDArray[np.uint8]) -> None:
        """Write the file's bytes from ``offset`` on to ``out``, with all threads.

        Args:
            plan: The file.
            offset: Offset of the first byte; ``offset + len(out)`` must be within the file.
            out: uint8, shape (bytes,). No thread writes to it after this returns or raises.
        """
        if len(out) <= MIN_BLOCK_BYTES:
            fill(plan, offset, out, self.backend)
            return
        pieces = [
            self.submit(plan, offset + at, out[at : at + MAX_CHUNK_BYTES])
            for at in range(0, len(out), MAX_CHUNK_BYTES)
        ]
        try:
            for piece in pieces:
                piece.result()
        finally:
            for piece in pieces:
                piece.cancel()
            wait(pieces)

    def submit(self, plan: Plan, offset: int, out: NDArray[np.uint8]) -> "Future[memoryview]":
        """Let a worker thread write the file's bytes from ``offset`` on to ``out``.

        Args:
            plan: The file.
            offset: Offset of the first byte; ``offset + len(out)`` must be within the file.
            out: uint8, shape (bytes,).

        Raises:
            RuntimeError: This process was forked from the one that created the pipeline.
        """
        self.require_own_process()
        plan.memo.keep(self.threads + 2)
        workers = self._slow_workers if plan.is_slow else self._workers
        return workers.submit(_fill_chunk, plan, offset, out, self.backend)

    def require_own_process(self) -> None:
        """Check that the worker threads belong to this process.

        Raises:
            RuntimeError: This process was forked from the one that created the pipeline.
        """
        if os.getpid() != self._process:
            raise RuntimeError(
                "a stream cannot continue in a forked process: start a new one there"
            )

    @property
    def chunk(self) -> int:
        """Bytes of a chunk, given the number of active streams."""
        share = self.buffers.budget // (_CHUNKS_PER_STREAM * max(1, len(self.active)))
        return min(MAX_CHUNK_BYTES, max(MIN_BLOCK_BYTES, 1 << (share.bit_length() - 1)))

    @property
    def ahead(self) -> int:
        """The most chunks that one stream computes ahead, so that a single one uses all threads."""
        return max(2, -(-(self.threads + 2) // max(1, len(self.active))))


def _fill_chunk(plan: Plan, offset: int, out: NDArray[np.uint8], backend: Backend) -> memoryview:
    fill(plan, offset, out, backend)
    return out.data


class Chunks:
    """One stream: chunks in order. The next ones are computed while the caller uses one.

    A chunk belongs to the caller and is not overwritten while anything refers to it. Only one
    thread at a time may use a stream.

    Args:
        pipeline: Computes the chunks.
        plan: The file.
        span: [start, stop) in bytes of the file.

    Raises:
        ValueError: The span is not within the file.
    """

    def __init__(self, pipeline: Pipeline, plan: Plan, span: tuple[int, int]) -> None:
        start, stop = span
        if not 0 <= start <= stop <= plan.nbytes:
            raise ValueError(f"span {start}:{stop} is not within the file's {plan.nbytes} bytes")
        self._pipeline = pipeline
        self._plan = plan
        self._next, self._stop = start, stop
        self._pending: deque[tuple[int, Future[memoryview]]] = deque()
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
        """Return the next chunk, which may still be being computed; None after the last one.

        Raises:
            RuntimeError: The process was forked after the stream was created.
        """
        self._pipeline.require_own_process()
        while self._next < self._stop and self._may_start():
            size = min(
                self._pipeline.chunk,
                self._stop - self._next,
                max_chunk_bytes(self._plan, self._next),
            )
            out = self._pipeline.buffers.take(size)
            future = self._pipeline.submit(self._plan, self._next, out)
            self._pending.append((self._next, future))
            self._next += size
        # After a stall the window grows by one with each chunk that the reader takes.
        self._window = min(self._window + 1, self._ahead)
        return self._pending.popleft()[1] if self._pending else None

    @property
    def _ahead(self) -> int:
        # A slow plan computes one chunk at a time: the next one would only wait for the same result
        # and block a worker that another stream could use.
        return 1 if self._plan.is_slow else self._pipeline.ahead

    def _may_start(self) -> bool:
        if not self._pending:
            return True  # every stream makes progress, even beyond the budget
        pipeline = self._pipeline
        return len(self._pending) < self._window and pipeline.buffers.affords(pipeline.chunk)

    def stall(self) -> None:
        """Discard the chunks computed ahead, because the reader is slow. `take` recomputes them."""
        self._window = 1
        if self._pending:
            self._next = self._pending[0][0]
        for _, future in self._pending:
            future.cancel()
        self._pending.clear()


@lru_cache(maxsize=1)
def shared() -> Pipeline:
    """Return the pipeline that is used by default. A forked process creates its own."""
    return Pipeline()


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=shared.cache_clear)


def stream(plan: Plan, span: tuple[int, int] | None = None) -> Iterator[memoryview]:
    """Yield a planned file's bytes in order. All cores compute ahead, in constant memory.

    Args:
        plan: The file.
        span: [start, stop) in bytes of the file; all of it if left out.

    Yields:
        Chunks that belong to the caller. They are not overwritten while anything refers to them.

    Raises:
        ValueError: The span is not within the file.
        RuntimeError: The process was forked after the first chunk.
    """
    with shared().chunks(plan, span) as chunks:
        yield from chunks
