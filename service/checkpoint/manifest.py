"""The manifest: SHA-256 digests of files and tensors. Computing them generates all bytes."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, TypedDict

from service.checkpoint.files import WeightFile
from service.plan import Plan
from service.stream.pipeline import Pipeline


class Digests(TypedDict):
    """SHA-256 digests in hexadecimal.

    Args:
        sha256: Of the whole file.
        tensors: Of each tensor's bytes, in file order.
    """

    sha256: str
    tensors: list[str]


def digests(plan: Plan, pipeline: Pipeline, advance: Callable[[int], object]) -> Digests:
    """Generate a planned file in constant memory, and return its digests.

    Args:
        plan: The file.
        pipeline: Computes the values.
        advance: Called with the bytes of each chunk once they are hashed; its exceptions end the
            computation.
    """
    whole, current = hashlib.sha256(), hashlib.sha256()
    found: list[str] = []
    at = -len(plan.header)
    with pipeline.chunks(plan) as chunks:
        for chunk in chunks:
            whole.update(chunk)
            stop = at + len(chunk)
            while len(found) < len(plan.tensors):
                tensor = plan.tensors[len(found)]
                current.update(chunk[max(0, tensor.begin - at) : max(0, tensor.end - at)])
                if tensor.end > stop:
                    break
                found.append(current.hexdigest())
                current = hashlib.sha256()
            at = stop
            advance(len(chunk))
    return {"sha256": whole.hexdigest(), "tensors": found}


def manifest(files: Sequence[tuple[WeightFile, Digests]]) -> bytes:
    """Return the text of manifest.json.

    Args:
        files: The weight files with their digests.
    """
    document = {
        "files": [
            {
                "name": file.name,
                "bytes": file.nbytes,
                "etag": file.etag,
                "sha256": found["sha256"],
                "tensors": _tensors(file.plan, found),
            }
            for file, found in files
        ]
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _tensors(plan: Plan, found: Digests) -> dict[str, Any]:
    return {
        tensor.name: {
            "dtype": tensor.dtype.name,
            "shape": tensor.shape,
            "data_offsets": (tensor.begin, tensor.end),
            "sha256": sha256,
        }
        for tensor, sha256 in zip(plan.tensors, found["tensors"], strict=True)
    }
