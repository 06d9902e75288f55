"""What the tests share: small recipes, their plans, files and problems."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import service
from service.backends import Backend, kernel
from service.plan import PlannedTensor
from service.sources import Drawn, transposed
from service.stream.fill import fill

ROOT = Path(__file__).parents[1]
NORMAL = {"scheme": "normal", "std": 0.02}


def recipe_of(*tensors: dict[str, Any], seed: Any = 0, **members: Any) -> dict[str, Any]:
    return {"seed": seed, "tensors": list(tensors), **members}


def tensor(
    init: Any = NORMAL, shape: Any = (7,), name: str = "w", **members: Any
) -> dict[str, Any]:
    made = {"name": name, "shape": list(shape), **members}
    return made if init is None else made | {"init": init}


def plan_of(recipe: Any, **limits: int) -> service.Plan:
    table = service.Limits(**limits)
    return service.compile(service.parse(recipe, table), table)


def drawn_of(planned: PlannedTensor) -> Drawn:
    """Return the source of a tensor that is drawn in the order of the file."""
    assert isinstance(planned.source, Drawn)
    return planned.source


def bytes_of(
    plan: service.Plan, span: tuple[int, int] | None = None, backend: Backend | None = None
) -> bytes:
    """Return a span of a file, computed in one piece."""
    start, stop = span or (0, plan.nbytes)
    out = np.empty(stop - start, dtype=np.uint8)
    fill(plan, start, out, backend or kernel())
    return out.tobytes()


def file_of(recipe: Any) -> bytes:
    return bytes_of(plan_of(recipe))


def data_of(recipe: Any) -> bytes:
    plan = plan_of(recipe)
    return bytes_of(plan, (len(plan.header), plan.nbytes))


def problems_of(recipe: Any, **limits: int) -> dict[str, str]:
    """Return what a recipe is refused for, by pointer; empty if it is not."""
    try:
        plan_of(recipe, **limits)
    except service.InvalidRecipe as error:
        return {problem.pointer: problem.detail for problem in error.problems}
    return {}


def slabs_taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the bytes of every slab of a transposed tensor."""
    taken: list[int] = []
    take = transposed.MEMORY.take

    def taking(nbytes: int) -> np.ndarray:
        taken.append(nbytes)
        return take(nbytes)

    monkeypatch.setattr(transposed.MEMORY, "take", taking)
    return taken


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Return whether a condition holds before so many seconds have passed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
    return False
