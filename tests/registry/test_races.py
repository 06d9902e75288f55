"""Concurrent writers: no revision is lost, none is made twice, no number is skipped."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.errors import RevisionConflict
from service.registry import Registry, Revision
from tests.registry.writer import SHARED, put, texts, writers


class Overtaken(Registry):
    """A registry whose revision another writer adds, after it has read the latest one."""

    def __init__(self, url: str, other: Registry, recipe_id: str) -> None:
        super().__init__(url)
        self._overtake: list[Callable[[], object]] = [lambda: other.point(*SHARED, recipe_id)]

    def revision(self, namespace: str, name: str, number: int | None = None) -> Revision | None:
        found = super().revision(namespace, name, number)
        while self._overtake:
            self._overtake.pop()()
        return found


def test_two_writers_make_one_revision(registry: Registry, url: str) -> None:
    ids = [put(registry, b"%d" % number) for number in range(3)]
    registry.point(*SHARED, ids[0])
    slow = Overtaken(url, registry, ids[1])
    with pytest.raises(RevisionConflict, match="revision 2 of lab/shared"):
        slow.point(*SHARED, ids[2])
    assert [each.recipe_id for each in registry.revisions(*SHARED, limit=9)] == [ids[1], ids[0]]
    assert slow.point(*SHARED, ids[2])[0].number == 3
    slow.close()


def test_writers_of_the_same_recipe_are_in_conflict(registry: Registry, url: str) -> None:
    recipe_id = put(registry, b"1")
    slow = Overtaken(url, registry, recipe_id)
    assert slow.point(*SHARED, recipe_id) == (registry.revision(*SHARED), False)
    slow.close()


def test_update_of_another_process_is_lost(registry: Registry, url: str) -> None:
    """The database is new, so the writers also create its tables concurrently."""
    acknowledged: dict[int, str] = {}
    with writers(url, "a", "b", "c", "d", count=20) as processes:
        for each in processes:
            lines = each.communicate(timeout=60)[0].splitlines()
            assert each.returncode == 0
            assert len(lines) == 20
            for line in lines:
                if line != "conflict":
                    number, _, recipe_id = line.partition(" ")
                    assert acknowledged.setdefault(int(number), recipe_id) == recipe_id
    history = registry.revisions(*SHARED, limit=1000)
    assert [each.number for each in history] == list(range(len(acknowledged), 0, -1))
    assert {each.number: each.recipe_id for each in history} == acknowledged


def test_update_of_another_thread_is_lost(registry: Registry) -> None:
    gate = threading.Barrier(8)

    def write(name: int) -> list[Revision]:
        gate.wait()
        made = []
        for _, text in zip(range(10), texts(str(name)), strict=False):
            recipe_id = put(registry, text)
            try:
                made.append(registry.point(*SHARED, recipe_id)[0])
            except RevisionConflict:
                continue
        return made

    with ThreadPoolExecutor(8) as pool:
        made = [each for own in pool.map(write, range(8)) for each in own]
    history = registry.revisions(*SHARED, limit=1000)
    assert sorted(made, key=lambda each: -each.number) == history
    assert [each.number for each in history] == list(range(len(made), 0, -1))


def test_recipe_is_new_to_two_threads(registry: Registry) -> None:
    gate = threading.Barrier(8)

    def write(_: int) -> bool:
        gate.wait()
        registry.keep_digest("key", "document")
        return registry.put_recipe("0" * 64, b"{}")

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(8))) == 1
    assert registry.digest("key") == "document"
