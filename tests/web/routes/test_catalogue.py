"""The catalogue over HTTP, and bodies made from layers, models and whole matrices."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from safetensors.numpy import load

from service.catalogue.layers import LAYERS
from service.catalogue.model_schemes import MODEL_SCHEMES
from service.catalogue.models import MODEL_TYPES
from service.catalogue.models.presets import presets
from service.catalogue.schemes import FRAMEWORKS
from tests.support import file_of, recipe_of, tensor
from tools.live import LiveServer


def test_catalogue_lacks_a_layer_model_or_model_scheme(client: TestClient) -> None:
    layers = client.get("/v1/layers").json()["layers"]
    assert [entry["type"] for entry in layers] == list(LAYERS)
    assert all(entry["summary"] and entry["conventions"] for entry in layers)
    models = client.get("/v1/models").json()["models"]
    assert {name for entry in models for name in entry["model_types"]} == set(MODEL_TYPES)
    assert {name for entry in models for name in entry["presets"]} == set(presets())
    listed = client.get("/v1/schemes").json()["model_schemes"]
    assert [entry["name"] for entry in listed] == list(MODEL_SCHEMES)
    assert all(entry["formula"] and entry["source"] for entry in listed)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_framework_lists_other_names(client: TestClient, name: str) -> None:
    listed = client.get("/v1/schemes", params={"framework": name}).json()
    assert listed["names"].keys() == FRAMEWORKS[name].names.keys()
    assert listed["title"] == FRAMEWORKS[name].title


def test_unknown_framework_is_listed(client: TestClient) -> None:
    answer = client.get("/v1/schemes", params={"framework": "chainer"})
    assert answer.status_code == 422
    assert "'candle'" in answer.json()["detail"]


_RECIPES: dict[str, dict[str, Any]] = {
    "model": {
        "seed": 1,
        "model": {"preset": "gpt2", "n_layer": 1, "n_embd": 24, "n_head": 2, "vocab_size": 99},
        "model_scheme": {"scheme": "deepnorm"},
        "rules": [{"match": "*.wte.weight", "dtype": "F16"}],
    },
    "layers": {
        "seed": 1,
        "convention": "flax",
        "draw_convention": "pytorch",
        "layers": [
            {"name": "attn", "type": "multihead_attention", "embed_dim": 8, "num_heads": 2},
            {
                "name": "stem",
                "type": "conv2d",
                "in_channels": 3,
                "out_channels": 8,
                "kernel_size": 3,
                "init": "orthogonal",
            },
        ],
    },
    "framework": recipe_of(tensor("keras.HeNormal", (3, 3, 4, 8), layout="HWIO")),
    "matrix": recipe_of(tensor("orthogonal", (300, 200))),
}


@pytest.mark.parametrize("name", _RECIPES)
def test_body_is_not_the_librarys(client: TestClient, name: str) -> None:
    recipe = _RECIPES[name]
    answer = client.post("/v1/weights", json=recipe)
    assert answer.content == file_of(recipe)
    planned = client.post("/v1/plan", json=recipe).json()
    assert planned["total_bytes"] == len(answer.content)
    assert {row["name"] for row in planned["tensors"]} == set(load(answer.content))


@pytest.mark.parametrize(
    ("recipe", "pointer", "said"),
    [
        ({"model": {"model_type": "gpt3"}}, "/model/model_type", "did you mean gpt2?"),
        ({"model": {"preset": "gpt-2"}}, "/model/preset", "gpt2"),
        ({"model": {"model_type": "llama", "hidden_size": "big"}}, "/model/hidden_size", "integer"),
        ({"layers": [{"name": "x", "type": "liner"}]}, "/layers/0", "linear"),
        (
            {"layers": [{"name": "x", "type": "linear", "in_features": 3, "out_feature": 3}]},
            "/layers/0/out_feature",
            "did you mean out_features?",
        ),
        (
            {"layers": [{"name": "x", "type": "linear", "in_features": 3}]},
            "/layers/0/out_features",
            "linear needs out_features",
        ),
        (
            {"model": {"preset": "gpt2"}, "model_scheme": {"scheme": "mup", "bose": {}}},
            "/model_scheme/bose",
            "did you mean base?",
        ),
        ({"model_scheme": "deepnorm"}, "/model_scheme", "needs a model"),
        ({"seed": 1}, "/tensors", "state tensors, layers or a model"),
    ],
    ids=str,
)
def test_mistake_is_not_said_at_its_place(
    client: TestClient, recipe: dict[str, Any], pointer: str, said: str
) -> None:
    answer = client.post("/v1/weights", json={"seed": 1, **recipe})
    assert answer.status_code == 422
    found = {problem["pointer"]: problem["detail"] for problem in answer.json()["errors"]}
    assert said in found[pointer], found


def test_large_matrix_holds_up_a_small_recipe(server: LiveServer) -> None:
    """The matrix takes seconds; a small recipe and health are answered meanwhile."""
    large = json.dumps(recipe_of(tensor("orthogonal", (2500, 2500)))).encode()
    small = json.dumps(recipe_of(tensor("kaiming", (64, 64)))).encode()
    with ThreadPoolExecutor(2) as pool:
        bodies = [pool.submit(lambda: server.post("/v1/weights", large).read()) for _ in range(2)]
        answered = 0
        while not all(body.done() for body in bodies):
            assert server.post("/v1/weights", small).read() == file_of(json.loads(small))
            assert server.get("/livez") == {"status": "ok"}
            answered += 1
        digests = {hashlib.sha256(body.result()).hexdigest() for body in bodies}
    assert answered > 3
    assert len(digests) == 1
