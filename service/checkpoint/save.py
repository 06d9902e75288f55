"""What the library and the command line make of a plan: arrays, and files whole or absent."""

import os
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from service.checkpoint.files import INDEX, WEIGHTS, Checkpoint, TextFile
from service.plan import Plan, compile
from service.recipe import Recipe, parse
from service.stream.pipeline import Pipeline, shared

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
    with atomic_write(target) as sink:
        write(plan, sink, advance, pipeline)
    return plan


def save_checkpoint(
    checkpoint: Checkpoint,
    folder: str | os.PathLike[str],
    advance: Callable[[int], object] | None = None,
    pipeline: Pipeline | None = None,
) -> None:
    """Write a checkpoint's files into a folder, each whole or absent, and the index last.

    While shards are being written the folder has no index, not even an earlier one, so that nobody
    takes some of them for all.

    Args:
        checkpoint: The files.
        folder: Where; made if it is missing. Files of the same names are replaced.
        advance: Called with the bytes of each chunk once they are written.
        pipeline: What computes; all cores with the fastest kernel if left out.

    Raises:
        FileExistsError: The folder holds weights of a checkpoint cut otherwise.
        OSError: A file cannot be written; nothing of it is left behind.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    check_no_other_weights(target, checkpoint.files)
    (target / INDEX).unlink(missing_ok=True)
    for shard in checkpoint.shards:
        with atomic_write(target / shard.name) as sink:
            write(shard.plan, sink, advance, pipeline)
    for file in sorted(checkpoint.beside, key=_is_index):
        save_text(file, target)
        if advance:
            advance(file.nbytes)


def _is_index(file: TextFile) -> bool:
    return file.name == INDEX


def save_text(file: TextFile, folder: Path) -> None:
    """Write a JSON file of a checkpoint into a folder, whole or not at all."""
    with atomic_write(folder / file.name) as sink:
        sink.write(file.text)


def check_no_other_weights(folder: Path, names: Collection[str]) -> None:
    """Check that a folder holds no weights but those of one checkpoint.

    Readers choose among several by rules of their own: some take ``model.safetensors`` before an
    index, some every safetensors file that there is.

    Args:
        folder: Where the checkpoint is to be.
        names: Its files.

    Raises:
        FileExistsError: There are others.
    """
    shards = (path.name for path in folder.glob("model-*-of-*.safetensors"))
    found = {*shards, *(name for name in (WEIGHTS, INDEX) if (folder / name).exists())}
    if others := sorted(found.difference(names)):
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise FileExistsError(
            f"{folder} holds weights of another checkpoint, {', '.join(others[:3])}{more}:"
            " programs may load them instead; remove them, or choose another folder"
        )


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name when the block ends well, and is gone when it does not."""
    target = path.resolve()  # so that a link stays one
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


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
