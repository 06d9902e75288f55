"""transformers loads names from here as it loads them from the Hub: the seed is a revision."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import service
from tests.hub.conftest import SHARDED
from tests.hub.support import BERT, LLAMA, answer, environment, needs
from tests.support import plan_of
from tools.live import LiveServer

_LOADING = """
    import torch
    import transformers

    def loaded(architecture, *arguments, **options):
        kind = getattr(transformers, architecture)
        model, told = kind.from_pretrained(*arguments, output_loading_info=True, **options)
        tensors = model.state_dict()
        raw = lambda tensor: tensor.contiguous().view(torch.uint8).numpy().tobytes()
        return dict(
            kind=type(model).__name__,
            dtype=str(model.dtype),
            wrong=[str(each) for value in told.values() for each in value],
            tensors={name: hashlib.sha256(raw(each)).hexdigest() for name, each in tensors.items()},
        )
"""


@pytest.fixture(autouse=True, scope="module")
def _is_installed() -> None:
    needs("transformers")
    needs("torch")


@pytest.fixture(scope="module")
def models(hub: LiveServer, home: Path) -> dict[str, Any]:
    """What one process has loaded."""
    code = f"""{_LOADING}
    llama = ("AutoModelForCausalLM", "acme/tiny-llama")
    config = transformers.AutoConfig.from_pretrained("acme/tiny-bert")
    answer = dict(
        seven=loaded(*llama, revision="seed-7"),
        anew=loaded(*llama, revision="seed-7", cache_dir="another"),
        eight=loaded(*llama, revision="seed-8"),
        main=loaded(*llama),
        bert=loaded(config.architectures[0], "acme/tiny-bert"),
    )
    requests.clear()
    answer["cached"] = loaded(*llama, revision="seed-7")
    answer["requests"] = requests
    """
    made: dict[str, Any] = answer(hub, home, code)
    return made


def hashes_of(recipe: Any, **members: Any) -> dict[str, str]:
    plan = plan_of(recipe | members)
    arrays = service.generate(plan)
    return {each: hashlib.sha256(arrays[each].tobytes()).hexdigest() for each in arrays}


def check(model: dict[str, Any], expected: dict[str, str]) -> None:
    """Check that a model has the tensors that we generate, and nothing was made up or left over."""
    assert model["wrong"] == []
    assert {name: model["tensors"].get(name) for name in expected} == expected


def test_command_with_nothing_but_the_endpoint_fails(hub: LiveServer, tmp_path: Path) -> None:
    program = (
        "from transformers import AutoModelForCausalLM as A; "
        "A.from_pretrained('acme/tiny-llama', revision='seed-7')"
    )
    command = f'HF_ENDPOINT=http://127.0.0.1:{hub.port} python -c "{program}"'
    variables = environment(hub, tmp_path)
    del variables["HF_ENDPOINT"]
    done = subprocess.run(
        command, shell=True, check=False, capture_output=True, text=True, timeout=120, env=variables
    )
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "hub").rglob("snapshots/*/model.safetensors")
    plan = plan_of(LLAMA | {"seed": 7})
    assert file.stat().st_size == plan.nbytes


def test_model_has_other_tensors_than_we_generate(models: dict[str, Any]) -> None:
    assert models["main"]["kind"] == "LlamaForCausalLM"
    check(models["main"], hashes_of(LLAMA))
    check(models["seven"], hashes_of(LLAMA, seed=7))
    check(models["eight"], hashes_of(LLAMA, seed=8))


def test_same_seed_loads_differently_or_another_alike(models: dict[str, Any]) -> None:
    assert models["seven"] == models["anew"] == models["cached"]
    drawn = [models[name]["tensors"]["lm_head.weight"] for name in ("seven", "eight", "main")]
    assert len(set(drawn)) == 3


def test_load_from_the_cache_downloads_again(models: dict[str, Any]) -> None:
    assert models["requests"] == ["GET /api/models/acme/tiny-llama/revision/seed-7"]


def test_model_of_a_dtype_loads_in_another(models: dict[str, Any]) -> None:
    check(models["bert"], hashes_of(BERT))
    assert models["bert"]["dtype"] == "torch.bfloat16"
    assert models["main"]["dtype"] == "torch.float32"
    assert models["bert"]["kind"].startswith("BertFor")


def test_sharded_model_has_other_tensors(sharding: LiveServer, home: Path) -> None:
    code = f"""{_LOADING}
    answer = loaded("AutoModelForCausalLM", "acme/sharded", revision="seed-3")
    """
    (recipe,) = SHARDED.values()
    check(answer(sharding, home, code), hashes_of(recipe, seed=3))
    index = next((home / "hub").rglob("model.safetensors.index.json"))
    assert len(set(json.loads(index.read_text("utf-8"))["weight_map"].values())) > 2
