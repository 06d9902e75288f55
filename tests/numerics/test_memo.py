"""The memo of one file: once each, and no more than the latest."""

import pickle
import threading

import numpy as np
import pytest

from service.numerics.memo import Memo
from tests.support import bytes_of, plan_of, recipe_of, tensor


def test_result_is_computed_by_every_thread() -> None:
    memo, made, together = Memo(), [], threading.Barrier(8)

    def make() -> int:
        made.append(1)
        return 7

    def ask(found: list[int]) -> None:
        together.wait()
        found.append(memo.get("tensor", "key", make))

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
        memo.get("tensor", "key", lambda: 1 // 0)
    assert memo.get("tensor", "key", lambda: 3) == 3


def test_old_results_are_kept_or_those_of_one_tensor_lost() -> None:
    memo = Memo(most=2)
    for key in range(9):
        memo.get("a", key, lambda: 1)
    memo.get("b", 0, lambda: 2)
    assert [memo.get("a", key, lambda: 0) for key in range(9)] == [1] * 9
    memo.get("c", 0, lambda: 3)
    assert memo.get("a", 0, lambda: 0) == 1
    assert memo.get("b", 0, lambda: 9) == 9


def test_results_pass_the_budget() -> None:
    memo = Memo(most=9, budget=3000)
    for name in "abcd":
        memo.get(name, 0, lambda: np.zeros(1000, dtype=np.uint8))
    assert memo.get("a", 0, lambda: 5) == 5
    assert isinstance(memo.get("d", 0, lambda: 5), np.ndarray)
    memo.get("huge", 0, lambda: np.zeros(9000, dtype=np.uint8))
    assert isinstance(memo.get("huge", 0, lambda: 5), np.ndarray)


def test_result_is_dropped_while_it_is_made() -> None:
    memo = Memo(most=1)
    began, go_on, made = threading.Event(), threading.Event(), []

    def make() -> int:
        made.append(1)
        began.set()
        assert go_on.wait(30)
        return 1

    worker = threading.Thread(target=lambda: memo.get("a", 0, make))
    worker.start()
    assert began.wait(30)
    for name in "bcd":
        memo.get(name, 0, lambda: 2)
    other = threading.Thread(target=lambda: memo.get("a", 0, make))
    other.start()
    go_on.set()
    worker.join()
    other.join()
    assert len(made) == 1


def test_plan_with_a_memo_cannot_be_pickled() -> None:
    plan = plan_of(recipe_of(tensor("orthogonal", (5, 5))))
    whole = bytes_of(plan)
    assert bytes_of(pickle.loads(pickle.dumps(plan))) == whole
