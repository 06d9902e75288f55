"""What the Hub's clients are run with, and the repositories that they ask for."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT, recipe_of, tensor
from tools.live import LiveServer, live_server

_SIZES = {
    "vocab_size": 256,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
LLAMA: dict[str, Any] = {
    "seed": 0,
    "model": _SIZES | {"model_type": "llama", "num_key_value_heads": 2, "rms_norm_eps": 1e-5},
}
BERT: dict[str, Any] = {"seed": 1, "dtype": "BF16", "model": _SIZES | {"model_type": "bert"}}
PLAIN = recipe_of(tensor(shape=[300, 7], name="a"), tensor("ones", [5], "b", dtype="F16"))
LARGE = recipe_of(tensor(shape=[1250, 1001], name="wide"), tensor("zeros", [3], "z"), seed=5)
NAMES = {
    "acme/tiny-llama": LLAMA,
    "acme/tiny-bert": BERT,
    "acme/plain": PLAIN,
    "acme/large": LARGE,
}

_RECORDING = """
import hashlib
import json
import httpx2
import huggingface_hub
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from pathlib import Path

requests = []

def client():
    def note(request):
        requests.append(request.method + " " + request.url.path)
    return httpx2.Client(follow_redirects=True, timeout=60, event_hooks={"request": [note]})

def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()

huggingface_hub.set_client_factory(client)
"""


def needs(package: str) -> None:
    """Skip where a client is not installed; it is not imported here."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: make test-full")


def put(server: LiveServer, name: str, recipe: dict[str, Any]) -> str:
    """Let a name mean a recipe, and return its id."""
    with server.post("/v1/recipes", recipe) as response:
        made: str = json.load(response)["recipe_id"]
    request = urllib.request.Request(
        f"{server.url}/v1/names/{name}",
        json.dumps({"recipe_id": made}).encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=60):
        return made


@contextmanager
def serving(folder: Path, names: dict[str, Any], **server: Any) -> Iterator[LiveServer]:
    """Serve some names from a registry of their own."""
    with live_server(TENSORSEED_DATA_DIR=str(folder), **server) as running:
        for name, recipe in names.items():
            put(running, name, recipe)
        yield running


def without_settings(home: Path) -> dict[str, str]:
    """Return this process's variables, but for those that proxies and clients are set by."""
    other = re.compile(r"hf_|hugging|transformers_|.*_proxy$", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not other.match(name)}
    return kept | {"HOME": str(home)}


def environment(server: LiveServer, home: Path) -> dict[str, str]:
    """Return the variables of a client that knows this server only, with a cache of its own."""
    return without_settings(home) | {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONWARNINGS": "ignore",
    }


def answer(server: LiveServer, home: Path, code: str) -> Any:
    """Return what a program that imports huggingface_hub leaves in ``answer``; JSON both ways.

    Its ``requests`` are those that it has made so far.
    """
    program = f"{_RECORDING}\n{textwrap.dedent(code)}\nprint(json.dumps(answer))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=home,
        env=environment(server, home),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def module_path() -> str:
    """Return where a server's process finds the modules of these tests."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
