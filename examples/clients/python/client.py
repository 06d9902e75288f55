"""POST a recipe, stream the safetensors file to disk, print each tensor's first values.

Usage: client.py [URL [RECIPE [OUTPUT]]]
"""

import json
import shutil
import struct
import sys
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

# struct formats for the bits of one element. To compute with the values, read "d", "q", "f" and
# "e" for F64, I64, F32 and F16; a BF16 is the upper half of an F32.
BITS = {"F64": "Q", "I64": "Q", "F32": "I", "F16": "H", "BF16": "H", "F8_E4M3": "B", "F8_E5M2": "B"}


def fetch(url: str, recipe: Path, output: Path) -> str:
    """Write the recipe's file to ``output`` and return its ETag."""
    headers = {"Content-Type": "application/json"}
    request = Request(f"{url.rstrip('/')}/v1/weights", recipe.read_bytes(), headers)
    # Write to another file and rename it, so that ``output`` is never incomplete.
    part = Path(f"{output}.part")
    try:
        with urlopen(request) as response, part.open("wb") as file:
            shutil.copyfileobj(response, file)
            # A broken connection looks like the end of the body: only the length shows it.
            announced, received = response.headers["Content-Length"], file.tell()
            if announced != str(received):
                raise OSError(f"the body has {received} bytes of {announced}")
            etag: str = response.headers["ETag"]
        part.replace(output)
    except HTTPError as error:
        raise OSError(reason(error)) from error
    finally:
        part.unlink(missing_ok=True)
    return etag


def reason(error: HTTPError) -> str:
    """Return the service's error message; a proxy's error may not be JSON."""
    if error.headers.get_content_type() == "application/problem+json":
        return str(json.load(error)["detail"])
    return str(error)


def tensors(path: Path) -> Iterator[str]:
    """Yield one line for each tensor: name, dtype, shape, the bits of up to three values."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        for name, tensor in header.items():
            dtype, shape, (begin, end) = tensor["dtype"], tensor["shape"], tensor["data_offsets"]
            size = struct.calcsize(BITS[dtype])
            count = min(3, (end - begin) // size)
            file.seek(8 + length + begin)
            values = struct.unpack(f"<{count}{BITS[dtype]}", file.read(count * size))
            dimensions = ",".join(map(str, shape))
            yield " ".join([name, dtype, f"[{dimensions}]", *(f"{v:0{2 * size}x}" for v in values)])


def main(
    url: str = "http://127.0.0.1:8000",
    recipe: str = "examples/recipes/mnist-mlp.json",
    output: str = "model.safetensors",
) -> None:
    """Fetch the file and print its contents."""
    try:
        etag = fetch(url, Path(recipe), Path(output))
    except (OSError, HTTPException) as error:
        sys.exit(str(error))
    for line in [*tensors(Path(output)), f"ETag {etag}"]:
        # Names are UTF-8, whatever the terminal's encoding is.
        sys.stdout.buffer.write(f"{line}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:4])
