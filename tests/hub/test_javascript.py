"""@huggingface/hub by Node: downloads, listings, metadata and its cache."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import service
from tests.hub.support import LLAMA, environment
from tests.support import ROOT, file_of, plan_of
from tools.live import LiveServer

MODULES = ROOT / ".npm"
RECIPE = service.parse(json.dumps(LLAMA | {"seed": 7}))
COMMIT = f"{service.parse(json.dumps(LLAMA)).recipe_id[:24]}{7:016x}"
WHOLE = file_of(LLAMA | {"seed": 7})


@pytest.fixture(scope="module")
def answer(hub: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run of the client found."""
    if shutil.which("node") is None:
        pytest.skip("Node is not installed: make toolchains")
    if not (MODULES / "node_modules/@huggingface/hub").is_dir():
        pytest.skip("@huggingface/hub is not installed: make test-full")
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        ["node", Path(__file__).with_name("client.mjs"), MODULES, hub.url, home / "cache"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(hub, home),
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_download_is_not_what_is_generated(answer: dict[str, Any]) -> None:
    assert answer["whole"] == sha256(WHOLE)
    assert answer["slice"] == sha256(WHOLE[5001:8004])
    assert json.loads(answer["config"])["architectures"] == ["LlamaForCausalLM"]


def test_existing_file_is_missing(answer: dict[str, Any]) -> None:
    config = len(answer["config"].encode())
    assert answer["exist"] == [[True, config], [True, len(WHOLE)], [False, None]]


def test_listing_says_otherwise_than_the_files(answer: dict[str, Any]) -> None:
    sizes = {
        "config.json": len(answer["config"].encode()),
        "model.safetensors": len(WHOLE),
        "recipe.json": len(RECIPE.canonical),
    }
    assert answer["listed"] == {name: ["file", size] for name, size in sizes.items()}
    assert answer["paths"] == ["config.json"]
    assert answer["model"]["filePaths"] == sorted(sizes)


def test_model_info_is_of_another_revision(answer: dict[str, Any]) -> None:
    model, main = answer["model"], answer["main"]
    assert (model["sha"], main["sha"]) == (COMMIT, f"{COMMIT[:24]}{0:016x}")
    assert model["name"] == "acme/tiny-llama"
    assert model["private"] is model["gated"] is False
    assert model["updatedAt"].endswith("Z")  # null if the date cannot be read


def test_safetensors_metadata_miscounts(answer: dict[str, Any]) -> None:
    plan, metadata = plan_of(LLAMA), answer["metadata"]
    assert metadata["sharded"] is False
    assert metadata["parameterCount"] == {"F32": plan.total_parameters}
    assert {tensor.name for tensor in plan.tensors} == set(metadata["header"]) - {"__metadata__"}


def test_what_is_missing_is_no_error(answer: dict[str, Any]) -> None:
    assert answer["errors"] == [404, 404, True, False]


def test_cache_has_other_files_or_folders(answer: dict[str, Any]) -> None:
    file, folder = map(Path, answer["cached"])
    assert folder.name == COMMIT  # where huggingface_hub has it too
    assert file == folder / "config.json"
    assert answer["snapshot"] == {
        "config.json": sha256(answer["config"].encode()),
        "model.safetensors": sha256(WHOLE),
        "recipe.json": sha256(RECIPE.canonical),
    }
