"""The oldest supported version of NumPy gives the same bytes."""

import subprocess
import sys

import pytest

from tests.support import ROOT

PYTHON = ROOT / ".venv-numpy1/bin/python"


@pytest.mark.skipif(not PYTHON.exists(), reason="make test-full installs NumPy 1.26")
def test_numpy_1_26_gives_other_bytes() -> None:
    tests = ["tests/golden/test_golden.py", "tests/stream/test_fill.py"]
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-q", *tests],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    version = subprocess.run(
        [PYTHON, "-c", "import numpy; print(numpy.__version__)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert version.stdout.startswith("1.26.")
    assert sys.modules["numpy"].__version__ > "2"
