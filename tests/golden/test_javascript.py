"""An implementation in another language, made from the documentation alone: the same files."""

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.golden.test_golden import rows
from tests.native.cases import recipes
from tests.support import ROOT, bytes_of, plan_of

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


def answers(sources: list[str]) -> list[tuple[str, str]]:
    """Return the file in hexadecimal and the plan digest of each recipe, as JavaScript has them."""
    command: list[Any] = ["node", "oracle.mjs", ROOT / "service/numerics/quantile.bin"]
    said = subprocess.run(
        command, input="\n".join(sources), cwd=ROOT / "tests/golden",
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    lines = [line.split("\t") for line in said.stdout.splitlines()]
    assert len(lines) == len(sources)
    return [(file, digest) for file, digest in lines]


def test_javascript_disagrees_with_the_golden_file() -> None:
    expected = dict(rows("data"))
    digests = {source: digest for source, _, digest, _ in rows("file")}
    sources = [*expected, *digests]
    for source, (file, digest) in zip(sources, answers(sources), strict=True):
        plan = plan_of(source)
        assert digest == digests.get(source, plan.digest)
        data = expected.get(source, bytes_of(plan)[len(plan.header) :].hex())
        assert file == plan.header.hex() + data


def test_javascript_disagrees_on_random_recipes() -> None:
    sources = [json.dumps(recipe) for recipe in recipes(400, seed=2)]
    for source, (file, digest) in zip(sources, answers(sources), strict=True):
        plan = plan_of(source)
        assert (file, digest) == (bytes_of(plan).hex(), plan.digest), source
