"""NVRTC, which compiles for GPUs without one: by ctypes, from NVIDIA's wheel."""

import ctypes
import importlib.util
from pathlib import Path

import pytest


def library() -> ctypes.CDLL:
    """Return NVRTC; skip where it is not installed."""
    # Of a package inside another that is not there either, Python raises instead.
    found = importlib.util.find_spec("nvidia") and importlib.util.find_spec("nvidia.cuda_nvrtc")
    if found is None or not found.submodule_search_locations:
        pytest.skip("NVRTC is not installed: make test-full")
    folder = Path(found.submodule_search_locations[0]) / "lib"
    for part in sorted(folder.glob("libnvrtc-builtins.so*")):
        ctypes.CDLL(str(part))
    return ctypes.CDLL(str(next(folder.glob("libnvrtc.so*"))))


def compiled(source: str, architecture: str, kind: str) -> bytes:
    """Return a program compiled as CuPy compiles it.

    Args:
        source: CUDA C++.
        architecture: As ``sm_90`` for ``CUBIN``, ``compute_90`` for ``PTX``.
        kind: Which.

    Raises:
        ValueError: What the compiler says.
    """
    nvrtc, program = library(), ctypes.c_void_p()
    assert not nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None
    )
    flags = [b"--fmad=false", b"--std=c++17", f"--gpu-architecture={architecture}".encode()]
    options = (ctypes.c_char_p * len(flags))(*flags)
    status = nvrtc.nvrtcCompileProgram(program, len(flags), options)
    if status:
        raise ValueError(_read(nvrtc, program, "ProgramLog").decode())
    return _read(nvrtc, program, kind)


def _read(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    assert not getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    assert not getattr(nvrtc, f"nvrtcGet{what}")(program, text)
    return text.raw
