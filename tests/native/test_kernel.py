"""Every kernel gives NumPy's bits, in this process and however it is compiled."""

import ctypes
import os
import platform
import shutil
import struct
import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from service import native
from service.backends.native import program
from service.catalogue.distributions import Constant, Uniform
from service.numerics.cast import DTYPES
from service.numerics.quantile import quantile, table_bytes
from tests.native.cases import Case, cases, filled, golden_cases
from tests.support import ROOT, drawn_of, plan_of, recipe_of, tensor

CASES = [*golden_cases(), *cases(400, seed=1)]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FLAGS = SETTINGS["tool"]["setuptools"]["ext-modules"][0]["extra-compile-args"]
SOURCES = ROOT / "service/native"


class Build(NamedTuple):
    """How the driver is compiled and run."""

    compiler: str
    flags: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "".join((self.compiler, *self.flags))


SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
NATIVE = "-march=native"  # fused multiply-adds are at hand, and not to be used
BUILDS = [
    *(Build(c, flags) for c in ("gcc", "clang") for flags in ((), ("-O0",), (NATIVE,), SANITIZERS)),
    Build("aarch64-linux-gnu-gcc", ("-static",), ("qemu-aarch64",)),
]


def test_cases_leave_something_out() -> None:
    laws = {region.law.name for case in CASES for region in case.drawn.regions}
    assert {"constant", "normal", "truncated_normal", "uniform"} <= laws
    assert {case.drawn.dtype.name for case in CASES} == set(DTYPES)
    assert any(len(case.drawn.regions) > 1 for case in CASES)


@pytest.mark.parametrize("path", native.PATHS)
def test_kernel_differs_from_numpy(path: str) -> None:
    for case in CASES:
        nbytes = len(case.expected)
        assert filled(path, case.drawn, case.first, nbytes, case.skew) == case.expected


@pytest.mark.parametrize("path", native.PATHS)
def test_kernels_quantile_differs_from_numpys(path: str) -> None:
    """A thousandth of what ``make exhaustive`` compares, and both ends of every octave."""
    ends = [(1 << bit) + step for bit in range(32) for step in (-2, -1, 0, 1)]
    words = np.unique(np.array([*ends, *range(0, 1 << 32, 1009)], dtype=np.int64) % (1 << 32))
    lower = words.astype(np.uint32)
    mirrored = np.ascontiguousarray(~lower)
    for some in (lower, mirrored):
        variates = np.empty(len(some), dtype=np.float64)
        native.variates(native.PATHS.index(path), table_bytes(), some.data, variates.data)
        assert (variates == quantile(np, some.astype(np.uint64))).all()


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F8_E4M3", "F8_E5M2"])
@pytest.mark.parametrize("path", native.PATHS)
def test_kernels_cast_differs_from_numpys(path: str, dtype: str) -> None:
    """At, and beside, every midpoint between two values of the dtype: laws without any width."""
    (planned,) = plan_of(recipe_of(tensor("ones", [9], dtype=dtype))).tensors
    codes = np.arange(planned.dtype.largest, dtype=np.uint32)
    bits = {"F16": (10, 15), "BF16": (7, 127), "F8_E4M3": (3, 7), "F8_E5M2": (2, 15)}[dtype]
    values = _decoded(codes, *bits)
    middles = ((values + _decoded(codes + 1, *bits)) / 2)[:: 1 if dtype.startswith("F8") else 37]
    beside = [np.nextafter(middles.astype(np.float32), to) for to in (np.float32(0), np.inf)]
    sizes = np.concatenate([middles, *beside]).astype(np.float32).astype(np.float64)
    for value in (*sizes.tolist(), *(-sizes).tolist()):
        for law in (Uniform(value, value), Constant(value)):
            drawn = drawn_of(planned)
            region = drawn.regions[0]._replace(law=law)
            flat = drawn._replace(regions=(region,))
            nbytes = 9 * planned.dtype.size
            assert filled(path, flat, 0, nbytes) == filled("numpy", flat, 0, nbytes), law


def _decoded(
    codes: "np.typing.NDArray[np.uint32]", mantissa: int, bias: int
) -> "np.typing.NDArray[np.float64]":
    exponent, fraction = codes >> mantissa, codes & ((1 << mantissa) - 1)
    scale = np.ldexp(1.0, np.maximum(exponent, 1).astype(int) - bias - mantissa)
    return np.asarray((fraction + np.where(exponent > 0, 1 << mantissa, 0)) * scale)


@pytest.mark.parametrize("build", BUILDS, ids=str)
def test_build_differs_from_numpy(build: Build, tmp_path: Path) -> None:
    for tool in (build.compiler, *build.runner):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    driver = tmp_path / "driver"
    sources = [SOURCES / "kernel.c", ROOT / "tests/native/driver.c"]
    warnings = ["-Wall", "-Wextra", "-Werror", "-std=c11"]
    command: list[str | Path] = [
        build.compiler,
        *FLAGS,
        *warnings,
        *build.flags,
        "-I",
        SOURCES,
        *sources,
    ]
    subprocess.run([*command, "-o", driver, "-lm"], check=True)
    run: list[str | Path] = [*build.runner, driver]
    listed = subprocess.run([*run, "paths"], check=True, capture_output=True, text=True)
    for path in range(len(listed.stdout.split())):
        answer = subprocess.run(run, input=_input(path, CASES), check=True, capture_output=True)
        at = 0
        for case in CASES:
            found = answer.stdout[at : at + len(case.expected)]
            assert found == case.expected, (case.drawn, case.first)
            at += len(case.expected)


def _input(path: int, some: list[Case]) -> bytes:
    pieces = [table_bytes()]
    for case in some:
        made = program(case.drawn)
        assert made is not None
        head = (path, len(made), case.first, len(case.expected), case.skew)
        pieces += [struct.pack("=5Q", *head), made]
    return b"".join(pieces)


def test_header_is_not_cuda(tmp_path: Path) -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not installed")
    source = tmp_path / "kernel.cu"
    source.write_text(
        '#include "generator.h"\n'
        'extern "C" __global__ void draw(ts_stream s, const uint32_t *table, uint32_t *bits) {\n'
        "    uint32_t w[4];\n"
        "    ts_philox(s, blockIdx.x, w);\n"
        "    double x = ts_normal(ts_variate(table, ts_squeezed(w[0], 9, w[1])), 0.5, 0.25);\n"
        "    float f = (float)(x + ts_uniform(w[2], 0.5, 0.25, 0.0, 1.0));\n"
        "    bits[0] = ts_bf16(f), bits[1] = ts_f16(f), bits[2] = ts_f8_e4m3(f) + ts_f8_e5m2(f);\n"
        "}\n"
    )
    compile_: list[str | os.PathLike[str]] = ["nvcc", "-ptx", "--fmad=false", "-I", SOURCES, source]
    subprocess.run([*compile_, "-o", tmp_path / "kernel.ptx"], check=True, capture_output=True)
    made = (tmp_path / "kernel.ptx").read_text()
    assert "mul.rn.f64" in made
    assert "fma." not in made


def test_program_that_makes_no_sense_reaches_memory() -> None:
    if not native.PATHS:
        pytest.skip("the kernel is not compiled")
    (planned,) = plan_of(recipe_of(tensor(shape=[4, 6]))).tensors
    good = program(drawn_of(planned))
    assert good is not None
    numbers = list(struct.unpack(f"={len(good) // 8}Q", good))
    out = np.empty(96, dtype=np.uint8)
    huge = 2**63
    changes = [
        *((0, 7), (1, 3), (2, 0), (3, 0), (4, 0), (9, 0), (10, 5), (11, 5), (15, 0), (16, 4)),
        *((2, huge), (3, huge), (9, huge), (15, 2), (15, huge)),
    ]
    for place, wrong in changes:
        bad = struct.pack(f"={len(numbers)}Q", *numbers[:place], wrong, *numbers[place + 1 :])
        with pytest.raises(ValueError, match=r"program|block|law|region"):
            native.fill(0, table_bytes(), bad, 0, out.data)
    for path, table, made in (
        (9, table_bytes(), good),
        (0, b"short", good),
        (0, table_bytes(), b""),
    ):
        with pytest.raises(ValueError, match=r"path|table|program"):
            native.fill(path, table, made, 0, out.data)
    for first, nbytes in ((1, 96), (24, 4), (25, 0), (2**63, 96), (0, 95)):
        with pytest.raises(ValueError, match=r"buffer ends"):
            native.fill(0, table_bytes(), good, first, out.data[:nbytes])
    for first in (-1, 2**64):
        with pytest.raises(OverflowError):
            native.fill(0, table_bytes(), good, first, out.data)
    with pytest.raises(TypeError):  # what another thread could change
        native.fill(0, table_bytes(), bytearray(good), 0, out.data)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", native.PATHS)
@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="another processor counts modes otherwise"
)
def test_callers_rounding_mode_reaches_the_bits(path: str) -> None:
    upward, libm = 0x800, ctypes.CDLL("libm.so.6")
    for case in CASES[::20]:
        try:
            libm.fesetround(upward)
            found = filled(path, case.drawn, case.first, len(case.expected))
            assert libm.fegetround() == upward
        finally:
            libm.fesetround(0)
        assert found == case.expected
