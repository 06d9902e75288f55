"""The memo of one file: once each, and no more than the latest."""

import threading

import pytest

from service.numerics.memo import Memo


def test_result_is_computed_by_every_thread() -> None:
    memo, made, together = Memo(), [], threading.Barrier(8)

    def make() -> int:
        made.append(1)
        return 7

    def ask(found: list[int]) -> None:
        together.wait()
        found.append(memo.get("key", make))

    found: list[int] = []
    threads = [threading.Thread(target=ask, args=(found,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 8
    assert len(made) == 1


def test_failure_is_remembered() -> None:
    memo = Memo()
    with pytest.raises(ZeroDivisionError):
        memo.get("key", lambda: 1 // 0)
    assert memo.get("key", lambda: 3) == 3


def test_old_results_are_kept_or_those_in_use_lost() -> None:
    memo = Memo(most=2)
    memo.get("a", lambda: 1)
    memo.get("b", lambda: 2)
    memo.get("a", lambda: 0)
    memo.get("c", lambda: 3)
    assert memo.get("a", lambda: 0) == 1
    assert memo.get("b", lambda: 9) == 9
