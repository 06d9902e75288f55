"""What the library and the command line make of a plan: arrays, and files whole or absent."""

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from service.pipeline import Pipeline, shared
from service.plan import Plan, compile
from service.recipe import Recipe, parse

Source = Plan | Recipe | bytes | str | Mapping[str, Any]
"""A recipe in any stage: its text or document, parsed, or compiled."""


def plan_of(source: Source) -> Plan:
    """Return the plan of a recipe in any stage.

    Raises:
        MalformedRecipe: The text is not strict JSON.
        InvalidRecipe: The recipe cannot be carried out.
    """
    if isinstance(source, Plan):
        return source
    return compile(source if isinstance(source, Recipe) else parse(source))


def generate(source: Source) -> dict[str, NDArray[Any]]:
    """Return a recipe's tensors as arrays, by name in file order.

    Args:
        source: A recipe in any stage.

    Returns:
        Little-endian arrays of the block's shape. NumPy has no bfloat16 and no 8-bit floats: BF16
        comes as uint16 and F8 as uint8, their bits, to be viewed as ml_dtypes' types.

    Raises:
        MalformedRecipe: The text is not strict JSON.
        InvalidRecipe: The recipe cannot be carried out.

    >>> generate({"seed": 1, "tensors": [{"name": "b", "shape": [2], "init": "ones"}]})
    {'b': array([1., 1.], dtype=float32)}
    """
    plan, pipeline = plan_of(source), shared()
    arrays: dict[str, NDArray[Any]] = {}
    for tensor in plan.tensors:
        out = np.empty(tensor.end - tensor.begin, dtype=np.uint8)
        pipeline.fill(plan, len(plan.header) + tensor.begin, out)
        arrays[tensor.name] = out.view(tensor.dtype.storage).reshape(tensor.shape)
    return arrays


def save_file(
    source: Source,
    path: str | os.PathLike[str],
    advance: Callable[[int], object] | None = None,
    pipeline: Pipeline | None = None,
) -> Plan:
    """Write a recipe's safetensors file; under its name it is whole or it is not there.

    Args:
        source: A recipe in any stage.
        path: Where; an existing file is replaced in one step.
        advance: Called with the bytes of each chunk once they are written.
        pipeline: What computes; all cores with the fastest kernel if left out.

    Returns:
        The plan that was written.

    Raises:
        MalformedRecipe: The text is not strict JSON.
        InvalidRecipe: The recipe cannot be carried out.
        OSError: The file cannot be written; nothing of it is left behind.
    """
    plan, target = plan_of(source), Path(path)
    if target.exists() and not target.is_file():  # a device or a pipe: nothing to rename over
        with target.open("wb") as sink:
            write(plan, sink, advance, pipeline)
        return plan
    target = target.resolve()  # so that a link stays one
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as sink:
            write(plan, sink, advance, pipeline)
            sink.flush()
            os.fsync(sink.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return plan


def write(
    plan: Plan,
    sink: BinaryIO,
    advance: Callable[[int], object] | None = None,
    pipeline: Pipeline | None = None,
) -> None:
    """Write a planned file's bytes.

    Args:
        plan: The file.
        sink: An open binary file.
        advance: Called with the bytes of each chunk once they are written.
        pipeline: What computes; all cores with the fastest kernel if left out.
    """
    with (pipeline or shared()).chunks(plan) as chunks:
        for chunk in chunks:
            sink.write(chunk)
            if advance:
                advance(len(chunk))
