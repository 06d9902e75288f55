"""The example clients, each in its own language, against a live server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import service
from service.numerics.cast import DTYPES
from tests.support import ROOT, file_of, recipe_of, tensor
from tools.live import LiveServer

CLIENTS = ROOT / "examples/clients"
COMMANDS = {
    "curl": ["bash", CLIENTS / "curl/client.sh"],
    "python3": [sys.executable, CLIENTS / "python/client.py"],
    "node": ["node", CLIENTS / "javascript/client.mjs"],
    "java": ["java", CLIENTS / "java/Client.java"],
    "g++": [],
}
RECIPE = recipe_of(
    tensor(shape=[3, 5], name='é"x\\y'),
    tensor(shape=[2], name="half", dtype="BF16"),
    tensor("ones", [], "scalar"),
    tensor("zeros", [0], "empty"),
    tensor({"scheme": "constant", "value": -2}, [2], "count", dtype="I64"),
    metadata={"format": "pt", "note": 'a "quoted" \\ line\n'},
)


@pytest.fixture(params=COMMANDS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    tool: str = request.param
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    if tool == "g++":
        source, binary = CLIENTS / "cpp/client.cpp", tmp_path / "client"
        subprocess.run(["g++", "-std=c++17", "-O1", source, "-o", binary], check=True)
        return [str(binary)]
    return list(map(str, COMMANDS[tool]))


def expected_lines(recipe: object) -> list[str]:
    plan = service.compile(service.parse(json.dumps(recipe)))
    lines = []
    for planned in plan.tensors:
        array = service.generate(plan)[planned.name]
        bits = array.reshape(-1)[:3].view(f"u{DTYPES[planned.dtype.name].size}").tolist()
        digits = 2 * planned.dtype.size
        shape = ",".join(map(str, planned.shape))
        values = "".join(f" {value:0{digits}x}" for value in bits)
        lines.append(f"{planned.name} {planned.dtype.name} [{shape}]{values}")
    return [*lines, f"ETag {plan.etag}"]


def run(
    client: list[str], server: LiveServer, recipe: object, folder: Path
) -> "subprocess.CompletedProcess[str]":
    (folder / "recipe.json").write_text(json.dumps(recipe), "utf-8")
    return subprocess.run(
        [*client, server.url, folder / "recipe.json", folder / "out.safetensors"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_client_saves_or_prints_otherwise(
    client: list[str], server: LiveServer, tmp_path: Path
) -> None:
    done = run(client, server, RECIPE, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.safetensors").read_bytes() == file_of(RECIPE)
    assert [line.rstrip() for line in done.stdout.splitlines()] == expected_lines(RECIPE)


def test_client_hides_a_refusal(client: list[str], server: LiveServer, tmp_path: Path) -> None:
    done = run(client, server, recipe_of(tensor("xavier")), tmp_path)
    assert done.returncode == 1
    assert "has no fans" in done.stderr
    assert not list(tmp_path.glob("out*"))
