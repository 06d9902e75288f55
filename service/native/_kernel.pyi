from _typeshed import ReadableBuffer, WriteableBuffer

PATHS: tuple[str, ...]

def fill(path: int, table: bytes, program: bytes, first: int, out: WriteableBuffer, /) -> None: ...
def variates(
    path: int, table: ReadableBuffer, words: ReadableBuffer, out: WriteableBuffer, /
) -> None: ...
def reflectors(
    path: int,
    width: int,
    strip: WriteableBuffer,
    t: WriteableBuffer,
    signs: WriteableBuffer,
    /,
) -> None: ...
def reflect(
    path: int,
    width: int,
    transposed: bool,
    v: ReadableBuffer,
    t: ReadableBuffer,
    strip: WriteableBuffer,
    /,
) -> None: ...
def transpose(
    size: int,
    rows: int,
    of_outer: bytes,
    of_column: bytes,
    source: ReadableBuffer,
    out: WriteableBuffer,
    /,
) -> None: ...
