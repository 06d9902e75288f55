"""A block of memory is reused when nothing refers to it any more, and not before."""

import numpy as np

from service.sources.buffers import MIN_BLOCK_BYTES, Buffers


def test_block_that_is_looked_at_is_lent_again() -> None:
    buffers = Buffers(budget=1 << 20)
    array = buffers.take(100)
    array[:] = 7
    end = memoryview(array.data[90:])  # the rest of a chunk that a transport has sent in part
    del array
    others = [buffers.take(100) for _ in range(40)]
    for other in others:
        other[:] = 9
    assert bytes(end) == b"\7" * 10
    assert buffers.in_use == 41 * MIN_BLOCK_BYTES


def test_block_that_nobody_looks_at_is_lost() -> None:
    buffers = Buffers(budget=1 << 20)
    address = buffers.take(100).ctypes.data
    assert buffers.in_use == 0
    assert buffers.take(200).ctypes.data == address


def test_blocks_pile_up_when_streams_end() -> None:
    buffers = Buffers(budget=1 << 30)
    arrays = [buffers.take(1 << 20) for _ in range(100)]
    assert buffers.in_use == 100 << 20
    arrays.clear()
    assert buffers.in_use == 0
    assert sum(map(len, buffers._free.values())) <= 4


def test_small_block_is_lent_for_a_large_chunk() -> None:
    buffers = Buffers(budget=1 << 20)
    small = buffers.take(MIN_BLOCK_BYTES)
    del small
    large = buffers.take(MIN_BLOCK_BYTES + 1)
    large[:] = 1
    assert len(large) == MIN_BLOCK_BYTES + 1
    assert buffers.in_use == 2 * MIN_BLOCK_BYTES


def test_budget_is_not_kept() -> None:
    buffers = Buffers(budget=4 * MIN_BLOCK_BYTES)
    held = [buffers.take(MIN_BLOCK_BYTES) for _ in range(3)]
    assert buffers.affords(MIN_BLOCK_BYTES)
    assert not buffers.affords(MIN_BLOCK_BYTES + 1)  # a block of twice the size
    held.append(buffers.take(1))
    assert not buffers.affords(1)
    assert np.concatenate(held).size == 3 * MIN_BLOCK_BYTES + 1
