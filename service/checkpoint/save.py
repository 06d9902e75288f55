"""Saves plans and checkpoints as files, each complete or absent."""

import os
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from service.checkpoint.files import INDEX, WEIGHTS, Checkpoint, TextFile
from service.plan import Plan, RecipeLike, plan_of
from service.stream.pipeline import Pipeline, shared


def save_file(
    recipe: RecipeLike,
    path: str | os.PathLike[str],
    advance: Callable[[int], object] | None = None,
    pipeline: Pipeline | None = None,
) -> Plan:
    """Write a recipe's safetensors file; it gets its name only when it is complete.

    Args:
        recipe: A recipe in any stage.
        path: The file to write; an existing file is replaced atomically.
        advance: Called with the bytes of each chunk once they are written.
        pipeline: Computes the values; all cores with the fastest kernel if left out.

    Returns:
        The plan that was written.

    Raises:
        MalformedRecipe: The text is not strict JSON.
        InvalidRecipe: The recipe cannot be carried out.
        OSError: The file cannot be written; no partial file is left.
    """
    plan, target = plan_of(recipe), Path(path)
    if target.exists() and not target.is_file():  # a device or a pipe cannot be replaced
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
    """Write a checkpoint's files into a folder, each complete or absent, and the index last.

    The folder has no index, not even an older one, until all shards are written. No reader can
    take an incomplete checkpoint for a complete one.

    Args:
        checkpoint: The files.
        folder: The folder; created if it is missing. Files of the same names are replaced.
        advance: Called with the bytes of each chunk once they are written.
        pipeline: Computes the values; all cores with the fastest kernel if left out.

    Raises:
        FileExistsError: The folder holds weights of another checkpoint.
        OSError: A file cannot be written; no partial file is left.
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
    """Write a JSON file of a checkpoint into a folder, completely or not at all."""
    with atomic_write(folder / file.name) as sink:
        sink.write(file.text)


def check_no_other_weights(folder: Path, names: Collection[str]) -> None:
    """Check that a folder holds no weights of another checkpoint.

    Programs differ in what they load from such a folder: some prefer ``model.safetensors`` to an
    index, some load every safetensors file.

    Args:
        folder: The folder of the checkpoint.
        names: The names of its files.

    Raises:
        FileExistsError: There are weights with other names.
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
    """Open a new file that replaces ``path`` if the block succeeds, and is deleted if it fails."""
    target = path.resolve()  # keep a symbolic link, and replace its target
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
        pipeline: Computes the values; all cores with the fastest kernel if left out.
    """
    with (pipeline or shared()).chunks(plan) as chunks:
        for chunk in chunks:
            sink.write(chunk)
            if advance:
                advance(len(chunk))
