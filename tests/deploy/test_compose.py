"""docker-compose.yml and deploy/: what they name is there, and nginx passes bodies on unchanged."""

import hashlib
import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.settings import PREFIX, Settings
from tests.support import ROOT, file_of, recipe_of, tensor, wait_until
from tools.live import LiveServer, live_server

yaml = pytest.importorskip("yaml", reason="PyYAML reads docker-compose.yml")
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
RECIPE = recipe_of(tensor(shape=[1000, 1000]), seed=6)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return dict(found["services"])


def test_compose_sets_what_is_no_setting(services: dict[str, Any]) -> None:
    given = services["tensorseed"]["environment"]
    assert {name.removeprefix(PREFIX).lower() for name in given} <= set(Settings.model_fields)


def test_compose_mounts_what_is_not_there(services: dict[str, Any]) -> None:
    mounted = [v.split(":")[0] for s in services.values() for v in s.get("volumes", [])]
    assert all((ROOT / path).exists() for path in mounted if path.startswith("."))


def test_replicas_are_killed_before_they_drained(services: dict[str, Any]) -> None:
    served = services["tensorseed"]
    assert served["deploy"]["replicas"] == 2
    grace = int(served["stop_grace_period"].removesuffix("s"))
    assert grace > int(served["environment"]["TENSORSEED_DRAIN_TIMEOUT"])


@contextmanager
def proxy(folder: Path, replicas: list[LiveServer]) -> Iterator[str]:
    """Run deploy/nginx.conf on a free port before replicas, which Docker's names stand for."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = (ROOT / "deploy/nginx.conf").read_text("utf-8")
    servers = "".join(f"server 127.0.0.1:{replica.port};" for replica in replicas)
    for found, put in (
        (r"server tensorseed:8000 resolve;", servers),
        (r"resolver 127\.0\.0\.11 valid=5s;", ""),
        (r"listen 8000;", f"listen 127.0.0.1:{port};"),
        (r"/tmp/", f"{folder}/"),
        (r"worker_processes auto;", "worker_processes 1; daemon off;"),
    ):
        config, count = re.subn(found, put, config)
        assert count, found
    (folder / "nginx.conf").write_text(config)
    command = [NGINX or "", "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert wait_until(lambda: answers(port) or process.poll() is not None, 20)
        assert process.poll() is None, process.communicate()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(url: str, document: Any = None, method: str | None = None, **headers: str) -> Any:
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, body, {**headers}, method=method)
    if body is not None:
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read(), response.headers


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_proxy_changes_an_answer(tmp_path: Path) -> None:
    """Two replicas on one registry behind one port: what one stores both serve, whole and cut."""
    tmp_path.chmod(0o755)
    with (
        live_server(TENSORSEED_DATA_DIR=str(tmp_path / "data")) as one,
        live_server(TENSORSEED_DATA_DIR=str(tmp_path / "data")) as other,
        proxy(tmp_path, [one, other]) as url,
    ):
        body, _ = ask(f"{url}/v1/recipes", RECIPE)
        file = f"{url}/v1/recipes/{json.loads(body)['recipe_id']}/model.safetensors"
        expected = file_of(RECIPE)
        for _ in range(4):  # turn by turn
            assert hashlib.sha256(ask(file)[0]).digest() == hashlib.sha256(expected).digest()
            part, headers = ask(file, Range="bytes=1000001-3000000")
            assert part == expected[1_000_001:3_000_001]
            assert headers["Content-Range"] == f"bytes 1000001-3000000/{len(expected)}"
            assert int(ask(file, method="HEAD")[1]["Content-Length"]) == len(expected)
        one.process.kill()
        one.process.wait(30)
        for _ in range(4):  # a replica that died is passed over
            assert ask(f"{url}/v1/weights", RECIPE, **{"X-Try": "1"})[0] == expected
            assert ask(file)[0] == expected
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(f"{url}/v1/recipes/{'0' * 64}/model.safetensors")
        assert refused.value.headers["Content-Type"] == "application/problem+json"
        refused.value.close()
