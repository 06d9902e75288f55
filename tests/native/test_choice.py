"""Which kernel computes: the fastest, or the one that was asked for, or a clear refusal."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.backends import KERNELS, kernel
from service.errors import KernelUnavailable
from service.native import PATHS
from tests.cli.test_commands import run
from tests.support import ROOT
from tools.live import live_server


def test_fastest_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TENSORSEED_KERNEL", raising=False)
    assert list(KERNELS) == ["numpy", *PATHS]
    assert kernel().name == kernel("auto").name == list(KERNELS)[-1]


@pytest.mark.parametrize("name", KERNELS)
def test_variable_is_ignored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORSEED_KERNEL", name)
    assert kernel().name == name


@pytest.mark.parametrize("name", KERNELS)
def test_config_or_info_name_another_kernel(name: str) -> None:
    said = run("config", TENSORSEED_KERNEL=name).stdout.decode()
    assert said.rstrip().endswith(f"Values are computed by the kernel {name}.")
    with live_server("--kernel", name) as server:
        assert server.get("/info")["kernel"] == name


def test_kernel_that_is_not_there_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(KERNELS, "numpy")
    with pytest.raises(KernelUnavailable, match="no kernel numpy, only"):
        kernel("numpy")
    monkeypatch.setenv("TENSORSEED_KERNEL", "avx9")
    with pytest.raises(KernelUnavailable, match="has no kernel avx9, only"):
        kernel()


@pytest.mark.parametrize("command", ["serve", "config"])
def test_kernel_that_nobody_has_is_served(command: str) -> None:
    done = run(command, TENSORSEED_KERNEL="avx9")
    assert done.returncode == 1
    assert b"kernel (TENSORSEED_KERNEL)" in done.stderr


def test_workers_without_the_kernel_die_and_are_replaced(tmp_path: Path) -> None:
    unbuilt = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "service", tmp_path / "service", ignore=unbuilt)
    command = ["serve", "--port", "0", "--workers", "2", "--kernel", "portable"]
    done = subprocess.run(
        [sys.executable, "-m", "service", *command],
        cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(
        "tensorseed: this machine has no kernel portable, only numpy; install a C"
    )
