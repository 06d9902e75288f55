"""A new kind of source: plan, stream and explanation work with it unchanged."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import service
from service.plan import Plan
from service.sources import Backend, Region
from tests.support import bytes_of, plan_of, recipe_of, tensor

RECIPE = recipe_of(tensor(shape=[3, 2], name="a"), tensor(shape=[4], name="b"))


@dataclass(frozen=True)
class Counted:
    """A source whose values are the indices of the elements, as float32."""

    full_shape: tuple[int, ...]
    work: int = 0
    identity: str = "counted\n"
    regions: tuple[Region, ...] = ()
    block_regions: tuple[Region, ...] = ()

    def details(self, shape: tuple[int, ...]) -> dict[str, Any]:
        return {"scheme": "counted"}

    def demands(self) -> Iterator[tuple[str, int]]:
        return iter([("max_whole_elements", self.work)])

    def fill(self, first: int, out: Any, backend: Backend, memo: Any) -> None:
        count = len(out) // 4
        out.view("<f4")[:] = np.arange(first, first + count)


def counted(**members: Any) -> Plan:
    plan = plan_of(RECIPE)
    first = plan.tensors[0]._replace(source=Counted((3, 2), **members))
    return replace(plan, tensors=(first, *plan.tensors[1:]))


def test_another_kind_of_source_is_not_streamed_from_any_byte() -> None:
    plan, drawn = counted(), bytes_of(plan_of(RECIPE))
    whole, start = bytes_of(plan), len(plan.header)
    assert np.frombuffer(whole[start : start + 24], "<f4").tolist() == [0, 1, 2, 3, 4, 5]
    assert whole[start + 24 :] == drawn[start + 24 :]
    for cut in range(start, start + 30):
        assert bytes_of(plan, (0, cut)) + bytes_of(plan, (cut, plan.nbytes)) == whole


def test_another_kind_of_source_is_not_in_the_digest() -> None:
    assert counted().etag != plan_of(RECIPE).etag
    assert counted(identity="other\n").etag != counted().etag


def test_another_kind_of_source_is_not_explained() -> None:
    row, drawn = service.explain(service.parse(RECIPE), counted())["tensors"]
    assert (row["scheme"], row["std"]) == ("counted", None)
    assert drawn["scheme"] == "normal"


def test_demands_of_another_kind_of_source_do_not_count() -> None:
    assert not counted().is_slow
    assert counted(work=2**26).is_slow
