"""Transposed tensors have exactly the elements of the drawn tensor, from any byte."""

import itertools
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import service
from service import native
from service.backends import KERNELS
from service.plan import Plan
from tests.support import bytes_of, plan_of, recipe_of, slabs_taken, tensor

_LETTERS = "OIKKIO"


def values(recipe: dict[str, Any], dtype: str) -> np.ndarray:
    plan = plan_of(recipe)
    (planned,) = plan.tensors
    data = bytes_of(plan, (len(plan.header), plan.nbytes))
    return np.frombuffer(data, dtype=f"u{planned.dtype.size}").reshape(planned.shape)


def with_twins_in_order(order: list[int], letters: str) -> list[int]:
    """Return the order changed so that the nth occurrence of a letter stays its nth."""
    twins = {x: iter([a for a, letter in enumerate(letters) if letter == x]) for x in set(letters)}
    return [next(twins[letters[axis]]) for axis in order]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_element_is_not_the_drawn_tensors(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 5))
    letters = _LETTERS[:rank]
    sizes = data.draw(st.lists(st.integers(1, 7), min_size=rank, max_size=rank))
    order = with_twins_in_order(list(data.draw(st.permutations(range(rank)))), letters)
    dtype = data.draw(st.sampled_from(["F64", "F32", "BF16", "F8_E4M3"]))
    schemes = ["kaiming", "zeros"] if rank == 1 else ["kaiming", "orthogonal", "zeros"]
    init: Any = data.draw(st.sampled_from(schemes))
    if rank == 1:
        init = {"scheme": "normal", "std": 1}
    drawn = recipe_of(tensor(init, sizes, name="d", layout=letters), seed=5, dtype=dtype)
    cuts = [
        sorted(data.draw(st.tuples(st.integers(0, sizes[a]), st.integers(0, sizes[a]))))
        for a in order
    ]
    held = tensor(
        init,
        [sizes[a] for a in order],
        name="h",
        layout="".join(letters[a] for a in order),
        draw={"name": "d", "layout": letters},
        slice=cuts,
    )
    expected = values(drawn, dtype).transpose(order)[tuple(slice(*cut) for cut in cuts)]
    assert (values(recipe_of(held, seed=5, dtype=dtype), dtype) == expected).all()


def large(init: str = "kaiming", dtype: str = "F32") -> Plan:
    """A tensor of several slabs, each of several panels."""
    held = tensor(init, (300, 9000), layout="IO", draw={"name": "w", "layout": "OI"})
    return plan_of(recipe_of(held, seed=2, dtype=dtype))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "F8_E5M2"])
def test_slabs_or_panels_meet_wrongly(kernel: str, dtype: str) -> None:
    plan = large(dtype=dtype)
    straight = plan_of(recipe_of(tensor("kaiming", (9000, 300)), seed=2, dtype=dtype))
    size = plan.tensors[0].dtype.size
    drawn = np.frombuffer(bytes_of(straight, (len(straight.header), straight.nbytes)), f"u{size}")
    expected = np.ascontiguousarray(drawn.reshape(9000, 300).T).tobytes()
    assert bytes_of(plan, (len(plan.header), plan.nbytes), KERNELS[kernel]) == expected


def test_without_the_kernel_other_elements_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = bytes_of(large())
    monkeypatch.setattr(native, "PATHS", ())
    assert bytes_of(large(), backend=KERNELS["numpy"]) == compiled


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 300 * 9000 * 4), min_size=1, max_size=6))
def test_file_depends_on_where_it_is_split(cuts: list[int]) -> None:
    plan = large()
    whole = bytes_of(plan)
    edges = sorted({0, plan.nbytes, *cuts})
    pieces = [bytes_of(plan, span) for span in itertools.pairwise(edges)]
    assert b"".join(pieces) == whole


def test_threads_that_share_slabs_get_half_made_ones() -> None:
    whole = bytes_of(large())
    plan = large()
    step, found = 1 << 19, {}

    def read(start: int) -> None:
        for at in range(start * step, plan.nbytes, 4 * step):
            found[at] = bytes_of(plan, (at, min(plan.nbytes, at + step)))

    threads = [threading.Thread(target=read, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"".join(found[at] for at in sorted(found)) == whole


def test_slabs_take_the_memory_of_the_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = slabs_taken(monkeypatch)
    held = tensor("kaiming", (4096, 4096), layout="IO", draw={"name": "w", "layout": "OI"})
    for _ in service.stream(plan_of(recipe_of(held))):
        pass
    assert max(taken) <= 4 << 20
    assert sum(taken) == 4096 * 4096 * 4


@pytest.mark.parametrize(
    ("held", "pointer", "message"),
    [
        (
            {"layout": "IO", "draw": {"name": "x", "layout": "OO"}},
            "draw/layout",
            "in another order",
        ),
        ({"draw": {"name": "x", "layout": "OI"}}, "draw/layout", "state both"),
        ({"layout": "IO", "draw": {"name": "x", "layout": "oi"}}, "draw/layout", "[A-Z]"),
        ({"layout": "IO", "draw": {"layout": "OI"}}, "draw/name", "required"),
    ],
    ids=str,
)
def test_draw_that_means_nothing_is_taken(held: dict[str, Any], pointer: str, message: str) -> None:
    from tests.support import problems_of

    found = problems_of(recipe_of(tensor("kaiming", (3, 4), **held)))
    assert message in found[f"/tensors/0/{pointer}"]


def test_two_tensors_of_one_draw_differ() -> None:
    shared = {"name": "w", "layout": "OI"}
    recipe = recipe_of(
        tensor("kaiming", (3, 4), name="a", layout="IO", draw=shared),
        tensor("kaiming", (4, 3), name="b", layout="OI", draw=shared),
    )
    arrays = service.generate(recipe)
    assert (arrays["a"] == arrays["b"].T).all()
