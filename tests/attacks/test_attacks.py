"""Every attack of this folder, as bytes on a socket of a real server that must outlive it."""

import http.client
import importlib
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import ModuleType

import pytest

from tests.attacks.attack import Attack
from tools.live import LiveServer, live_server

FILES = sorted(Path(__file__).parent.glob("*.py"))
MODULES = [
    importlib.import_module(f"tests.attacks.{path.stem}")
    for path in FILES
    if path.stem not in {"__init__", "attack", "test_attacks"}
]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[tuple[str, ...], LiveServer]]:
    """Servers by the flags that attacks are made for."""
    with ExitStack() as stack:
        wanted = {getattr(module, "FLAGS", ()) for module in MODULES}
        yield {flags: stack.enter_context(live_server(*flags)) for flags in wanted}


def answer_to(server: LiveServer, attack: Attack) -> http.client.HTTPResponse:
    """Return the answer, its body read; the request may still be on its way when it comes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        with suppress(ConnectionError):
            connection.sendall(attack.request)
        method = attack.request.split(b" ", 1)[0].decode("latin-1")
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        response.text = response.read().decode("utf-8", "replace")  # type: ignore[attr-defined]
        response.close()
        return response


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_attack_gets_another_answer(
    servers: dict[tuple[str, ...], LiveServer], module: ModuleType
) -> None:
    server = servers[getattr(module, "FLAGS", ())]
    attacks: list[Attack] = module.ATTACKS
    assert module.__doc__
    assert attacks
    for attack in attacks:
        response = answer_to(server, attack)
        shown = (attack.request[:300], response.status)
        assert response.status == attack.status, shown
        text = response.text  # type: ignore[attr-defined]
        assert attack.says in text, (shown, text[:300])
        assert len(text) <= 16_000
        if response.status == 405:
            assert response.headers["Allow"], shown
        if response.status >= 400 and text and "json" in response.headers["Content-Type"]:
            assert response.headers["Content-Type"] == "application/problem+json"
            assert json.loads(text)["status"] == response.status
        assert "Traceback" not in text
        assert server.get("/livez") == {"status": "ok"}
    assert server.process.poll() is None
    assert not [line for line in server.log if "Traceback" in line or '"defect' in line]


def test_row_of_abuses_is_missing() -> None:
    names = {module.__name__.rpartition(".")[2] for module in MODULES}
    assert names == {
        "forms",
        "framing",
        "keys",
        "media_type",
        "methods",
        "names",
        "not_json",
        "paths",
        "ranges",
        "stalled_body",
        "too_large",
        "too_much",
        "values",
        "wrong_types",
    }
