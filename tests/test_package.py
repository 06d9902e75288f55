"""The package as a newcomer gets it: the wheel in an empty environment, and ``make run``."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT, file_of


@pytest.mark.parametrize("compiler", ["cc", "no-such-compiler"])
def test_wheel_lacks_something(compiler: str, tmp_path: Path) -> None:
    """Built, installed alone in an empty environment, run outside the source tree."""
    if compiler == "cc" and shutil.which("cc") is None:
        pytest.skip("no C compiler is installed")
    source = tmp_path / "source"  # a copy: what was built for one is not to be found by the other
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    unbuilt = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "service", source / "service", ignore=unbuilt)
    build: list[Any] = [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, source]
    built = subprocess.run(
        build, check=True, capture_output=True, text=True, env={**os.environ, "CC": compiler}
    )
    said = [line for line in built.stderr.splitlines() if "building extension" in line]
    assert bool(said) == (compiler != "cc")
    (wheel,) = tmp_path.glob("tensorseed-*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    install: list[Any] = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "-c",
        ROOT / "constraints.txt",
        wheel,
    ]
    subprocess.run(install, check=True, capture_output=True)
    recipe = ROOT / "examples/recipes/mnist-mlp.json"
    generate: list[Any] = [
        tmp_path / "venv/bin/tensorseed",
        "generate",
        recipe,
        "-o",
        "m.safetensors",
    ]
    subprocess.run(generate, check=True, cwd=tmp_path)
    assert (tmp_path / "m.safetensors").read_bytes() == file_of(recipe.read_bytes())
    listed = subprocess.run(
        [python, "-c", "import service; print(*service.__path__)"],
        check=True, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    config = subprocess.run(
        [tmp_path / "venv/bin/tensorseed", "config"],
        check=True, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    without = "by the kernel numpy: no C compiler was found"
    assert (without in config.stdout) == (compiler != "cc")
    assert (Path(listed.stdout.strip()) / "py.typed").exists()
    assert str(ROOT) not in listed.stdout


def test_make_run_does_not_serve() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    with subprocess.Popen(
        ["make", "run", "PORT=0", f"VENV={Path(sys.executable).parents[1]}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            url = next(
                found[1]
                for line in process.stdout
                if (found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line))
            )
            with urllib.request.urlopen(f"{url}/livez", timeout=10) as response:
                assert response.read() == b'{"status":"ok"}'
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=60)
