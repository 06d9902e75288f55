from _typeshed import ReadableBuffer, WriteableBuffer

PATHS: tuple[str, ...]

def fill(path: int, table: bytes, program: bytes, first: int, out: WriteableBuffer, /) -> None: ...
def variates(
    path: int, table: ReadableBuffer, words: ReadableBuffer, out: WriteableBuffer, /
) -> None: ...
