"""kernel.cu for GPUs that are not here: it compiles, and nothing in it is fused."""

import re

import pytest

from service.backends.cuda import kernel_source
from tests.native.nvrtc import compiled

KERNELS = [
    *(
        f"{law}_{dtype}"
        for law in ("uniform", "normal", "truncated_normal")
        for dtype in ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
    ),
    "reflectors",
    "reflect",
]


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100"])
def test_kernels_are_not_for_a_gpu(architecture: str) -> None:
    cubin = compiled(kernel_source(), architecture, "CUBIN")
    assert cubin[:4] == b"\x7fELF"
    for name in KERNELS:
        assert f".text.{name}\0".encode() in cubin


def test_multiplication_is_fused_with_an_addition() -> None:
    """PTX says how each operation rounds; what it says, later stages keep."""
    ptx = compiled(kernel_source(), "compute_80", "PTX").decode("ascii", "replace")
    assert {f".entry {name}(" for name in KERNELS} <= set(re.findall(r"\.entry \w+\(", ptx))
    assert "mul.rn.f64" in ptx
    assert "add.rn.f64" in ptx
    assert not re.findall(r"\b(?:fma|mad)\.\w*\.?f(?:32|64)", ptx)
    assert not re.findall(r"\b(?:mul|add|sub)\.f(?:32|64)", ptx)  # which might be
    assert ".ftz" not in ptx


def test_mistake_compiles() -> None:
    with pytest.raises(ValueError, match="undefined"):
        compiled(
            kernel_source() + '\nextern "C" __global__ void f() { nothing(); }\n', "sm_80", "CUBIN"
        )
