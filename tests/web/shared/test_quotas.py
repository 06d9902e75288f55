"""Quotas: never more than there is, something left for everybody, nobody waits in vain."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Busy
from service.web.shared.quotas import Quota


def quota(limit: int) -> Quota:
    return Quota(limit, "bodies", "max_bodies")


def taken(shared: Quota, client: str) -> int:
    """Return how many one client gets that wants all there is."""
    count = 0
    while True:
        try:
            shared.acquire(client)
        except Busy:
            return count
        count += 1


@pytest.mark.parametrize(("limit", "alone"), [(1, 1), (2, 2), (4, 3), (64, 48), (1000, 750)])
def test_one_client_takes_all_or_too_little(limit: int, alone: int) -> None:
    assert taken(quota(limit), "a") == alone


def test_greedy_clients_leave_nothing_for_the_next() -> None:
    shared = quota(64)
    got = [taken(shared, client) for client in "abcd"]
    assert all(got)
    assert shared.held == sum(got) <= 64
    for _ in range(got[0]):  # one leaves, and what it held is shared out anew
        shared.release("a")
    assert taken(shared, "e") >= 9


def test_refusal_tells_neither_limit_nor_when() -> None:
    shared = quota(1)
    shared.acquire("a")
    with pytest.raises(Busy, match=r"1 bodies are in use.*limit \(max_bodies\) is 1") as refused:
        shared.acquire("b")
    assert isinstance(refused.value.after, int)
    assert refused.value.after >= 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 20), st.booleans()), max_size=60))
def test_more_is_held_than_there_is(steps: list[tuple[str, int, bool]]) -> None:
    shared, held = quota(16), Counter[str]()
    for client, amount, gives in steps:
        if gives and held[client]:
            shared.release(client, held.pop(client))
            continue
        before = shared.held
        try:
            shared.acquire(client, amount)
        except Busy:
            assert before
            continue
        held[client] += amount
        assert before + amount == shared.held
        assert before == 0 or shared.held <= 16
        assert shared.held == held.total()
    for client, amount in held.items():
        shared.release(client, amount)
    assert shared.held == 0


def test_own_share_counts_against_who_is_alone() -> None:
    """A recipe that comes piece by piece, larger than there is room for by rights."""
    shared = quota(10)
    for taken_before in range(0, 30, 5):
        shared.acquire("a", 5, own=taken_before)
    with pytest.raises(Busy):
        shared.acquire("b", 1)
    shared.release("a", 30)
    shared.acquire("b", 1)
    with pytest.raises(Busy):
        shared.acquire("a", 30, own=0)


def test_who_waits_is_admitted_out_of_turn() -> None:
    """Of those who wait the one that holds least comes first, then the one that came first."""

    async def run() -> list[str]:
        shared, order = quota(4), list[str]()
        for client in ("greedy", "greedy", "modest"):
            await shared.wait(client, 0)
        shared.acquire("modest")

        async def one(client: str, name: str) -> None:
            await shared.wait(client, 60)
            order.append(name)

        waiting = [("greedy", "greedy"), ("modest", "modest"), ("new", "new"), ("other", "other")]
        tasks = [asyncio.create_task(one(*each)) for each in waiting]
        await asyncio.sleep(0)
        assert shared.waiting == 4
        for client in ("modest", "modest", "greedy", "greedy"):
            shared.release(client)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert shared.waiting == 0
        return order

    assert asyncio.run(run()) == ["new", "modest", "other", "greedy"]


def test_place_is_lost_with_who_waited_for_it() -> None:
    async def run() -> None:
        shared = quota(1)
        shared.acquire("a")
        with pytest.raises(Busy):
            await shared.wait("b", 0.01)
        assert shared.waiting == 0
        leaving = asyncio.create_task(shared.wait("b", 60))
        await asyncio.sleep(0)
        shared.release("a")  # admitted, and gone in the same moment
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert (shared.held, shared.waiting) == (0, 0)

    asyncio.run(run())


def test_queue_is_without_end() -> None:
    async def run() -> None:
        shared = quota(2)
        await shared.wait("a", 0)
        await shared.wait("a", 0)
        waiting = [asyncio.create_task(shared.wait(who, 60)) for who in "bd"]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await shared.wait("c", 60)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert shared.waiting == 0

    asyncio.run(run())
