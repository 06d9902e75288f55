"""Checks whether a file contains a recipe's tensors, and reports the first difference."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from service.container.header import layout_problem, read_header
from service.errors import truncate
from service.limits import Limits
from service.plan import Plan, PlannedTensor
from service.stream.pipeline import Pipeline, shared

_BLOCK_BYTES = 1 << 23
"""Bytes compared at once: a few chunks per core."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of `verify`.

    Args:
        detail: One sentence for people to read.
        matches: The file contains exactly the plan's tensors, bit for bit.
        identical: The whole file, including the header, is the plan's, byte for byte.
    """

    detail: str
    matches: bool = False
    identical: bool = False


def verify(
    plan: Plan,
    path: Path,
    advance: Callable[[int], object] | None = None,
    pipeline: Pipeline | None = None,
) -> Verdict:
    """Compare a safetensors file with a plan, tensor by tensor, in constant memory.

    Args:
        plan: The expected file.
        path: The file.
        advance: Called with the bytes of each chunk once they are compared.
        pipeline: Computes the values; all cores with the fastest kernel if left out.

    Raises:
        UnreadableFile: The file is not a safetensors file.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        listed, start = read_header(file, 4 * Limits().max_header_bytes)
        size = path.stat().st_size
        if difference := _difference_in_header(plan, listed, size - start):
            return Verdict(difference)
        for tensor in plan.tensors:
            file.seek(start + listed[tensor.name]["data_offsets"][0])
            differing = _first_difference(plan, tensor, file, advance, pipeline or shared())
            if differing is not None:
                return Verdict(f"the first difference is in {tensor.name}, at element {differing}")
        file.seek(0)
        identical = file.read(len(plan.header)) == plan.header and size == plan.nbytes
    if identical:
        return Verdict("this is the recipe's file, byte for byte", matches=True, identical=True)
    return Verdict("every tensor matches the recipe; the header differs", matches=True)


def _difference_in_header(plan: Plan, listed: dict[str, Any], nbytes: int) -> str | None:
    for tensor in plan.tensors:
        if tensor.name not in listed:
            return f"{tensor.name} is not in the file"
        if difference := _difference_in_entry(tensor, listed[tensor.name]):
            return f"{tensor.name} {difference}"
    known = {tensor.name for tensor in plan.tensors}
    extra = next((name for name in listed if name not in known), None)
    if extra is not None:
        return f"{truncate(extra)} is in the file and not in the recipe"
    return layout_problem([entry["data_offsets"] for entry in listed.values()], nbytes)


def _difference_in_entry(tensor: PlannedTensor, entry: dict[str, Any]) -> str | None:
    if entry.get("dtype") != tensor.dtype.name:
        return f"is {truncate(entry.get('dtype'))}, not {tensor.dtype.name}"
    if json.dumps(entry.get("shape")) != json.dumps(tensor.shape):
        return f"is {truncate(entry.get('shape'))}, not {list(tensor.shape)}"
    begin, end = entry["data_offsets"]
    if end - begin != tensor.end - tensor.begin:
        return f"has {end - begin} bytes, not {tensor.end - tensor.begin}"
    return None


def _first_difference(
    plan: Plan,
    tensor: PlannedTensor,
    file: BinaryIO,
    advance: Callable[[int], object] | None,
    pipeline: Pipeline,
) -> int | None:
    """Return the index of the first element that differs or is missing; None if there is none."""
    size = tensor.end - tensor.begin
    buffer = np.empty(min(size, _BLOCK_BYTES), dtype=np.uint8)
    for done in range(0, size, _BLOCK_BYTES):
        ours = buffer[: size - done]
        pipeline.fill(plan, len(plan.header) + tensor.begin + done, ours)
        theirs = np.frombuffer(file.read(len(ours)), dtype=np.uint8)
        unequal = np.flatnonzero(ours[: len(theirs)] != theirs)
        if len(unequal) or len(theirs) < len(ours):
            byte = int(unequal[0]) if len(unequal) else len(theirs)
            return (done + byte) // tensor.dtype.size
        if advance:
            advance(len(ours))
    return None
