"""The commands push, pull and url against a real server, and one that fails."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.client.listing import Reference, listing
from service.client.pull import fetch
from service.client.remote import Remote
from tests.client.faulty import NAME, Answer, Faulty, cut, faulty
from tests.support import ROOT, file_of, plan_of, recipe_of, tensor
from tools.live import LiveServer

RECIPE = recipe_of(tensor(shape=[300, 200]), tensor("xavier", [4, 4], "v", dtype="BF16"))


def command(*arguments: Any) -> list[str]:
    return [sys.executable, "-m", "service", *map(str, arguments)]


def environment(**variables: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("TENSORSEED_")} | variables


def run(*arguments: Any, recipe: Any = None, **variables: str) -> Result:
    kept: dict[str, str | None] = {
        name: None for name in os.environ if name.startswith("TENSORSEED_")
    }
    done = CliRunner().invoke(
        main, [*map(str, arguments)], input=json.dumps(recipe), env={**kept, **variables}
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def refused(status: int, *said: str, done: Result) -> None:
    assert done.exit_code == status
    assert all(each in done.stderr for each in said), done.stderr


@pytest.fixture(autouse=True)
def _termination_stays_the_tests() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with faulty(tmp_path_factory.mktemp("service")) as made:
        yield made


def test_pushed_name_means_something_else(server: LiveServer, tmp_path: Path) -> None:
    at = ["--url", f"{server.url}/"]
    done = run("push", "-", "ann/mlp", *at, recipe=RECIPE)
    first = dict(line.split() for line in done.stdout.splitlines())
    assert (first["name"], first["revision"]) == ("ann/mlp", "1")
    with urllib.request.urlopen(first["download"], timeout=60) as response:
        assert response.read() == file_of(RECIPE)
    other = RECIPE | {"seed": 1}
    assert "revision  1" in run("push", "-", "ann/mlp", *at, recipe=RECIPE).stdout
    assert "revision  2" in run("push", "-", "ann/mlp", *at, recipe=other).stdout
    sources = {"ann/mlp": other, "ann/mlp@r1": RECIPE, first["recipe"]: RECIPE}
    for folder, (source, made) in enumerate(sources.items()):
        pulled = run("pull", source, "-o", tmp_path / str(folder), TENSORSEED_URL=server.url)
        size = (
            f"{plan_of(made).nbytes + len((tmp_path / str(folder) / 'recipe.json').read_bytes()):,}"
        )
        assert pulled.stdout.endswith(f": 2 files, {size} bytes\n")
        assert (tmp_path / str(folder) / "model.safetensors").read_bytes() == file_of(made)
        paths = [tmp_path / str(folder) / name for name in ("recipe.json", "model.safetensors")]
        assert run("verify", *paths).exit_code == 0


def test_name_that_moves_in_between_gives_the_new_file(server: LiveServer, tmp_path: Path) -> None:
    at = ["--url", server.url]
    run("push", "-", "ann/moving", *at, recipe=RECIPE)
    with Remote(server.url) as remote:
        found = listing(remote, Reference.of("ann/moving"))
        run("push", "-", "ann/moving", *at, recipe=RECIPE | {"seed": 1})
        fetch(remote, found, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == file_of(RECIPE)
    run("pull", "ann/moving@seed-7", "-o", tmp_path, *at)
    assert (tmp_path / "model.safetensors").read_bytes() == file_of(RECIPE | {"seed": 7})


def test_pulled_model_lacks_its_config(server: LiveServer, tmp_path: Path) -> None:
    recipe = ROOT / "examples/recipes/gpt2-tiny.json"
    run("push", recipe, "ann/gpt2", "--url", server.url)
    assert run("pull", "ann/gpt2", "-o", tmp_path, "--url", server.url).exit_code == 0
    assert run("generate", recipe, "-o", tmp_path / "own", "--shard-size", "5GB").exit_code == 0
    for path in (tmp_path / "own").iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / "config.json").exists()


def test_refusal_of_a_service_ends_in_a_traceback(server: LiveServer, tmp_path: Path) -> None:
    at = ["--url", server.url]
    bad = recipe_of(tensor("xaver"), tensor(shape=[-1], name="v"))
    said = ("/tensors/0/init: ", "/tensors/1/shape/0: ")
    refused(1, *said, done=run("push", "-", "ann/bad", *at, recipe=bad))
    refused(1, "tensorseed: ", "reserved", done=run("push", "-", "v1/x", *at, recipe=RECIPE))
    refused(1, "nobody/x", done=run("pull", "nobody/x", "-o", tmp_path, *at))
    run("push", "-", "ann/one", *at, recipe=RECIPE)
    refused(1, "no revision r9", done=run("pull", "ann/one@r9", "-o", tmp_path, *at))
    refused(1, "no recipe 0000", done=run("pull", "0" * 64, "-o", tmp_path, *at))
    assert list(tmp_path.iterdir()) == []


def test_arguments_that_mean_nothing_are_sent(server: LiveServer, tmp_path: Path) -> None:
    at = ["--url", server.url]
    for name in ("mlp", "a/b/c", "../x", "a/?", "a/"):
        refused(2, "NAMESPACE/NAME", done=run("push", "-", name, *at, recipe=RECIPE))
    refused(2, "SOURCE", done=run("pull", "../x", "-o", tmp_path, *at))
    for url in ("ftp://x", "127.0.0.1", "http://x?y", "http://x/#y", ""):
        refused(2, "is not a URL", done=run("url", "-", "--url", url, recipe=RECIPE))


def test_nobody_is_there_for_a_traceback(service: Faulty, tmp_path: Path) -> None:
    service.server_close()
    at = ["--url", service.url]
    refused(1, service.url, "refused", done=run("push", "-", NAME, *at, recipe=RECIPE))
    refused(1, service.url, "refused", done=run("pull", NAME, "-o", tmp_path, *at))


def test_answer_of_another_service_ends_in_a_traceback(service: Faulty) -> None:
    push = ["push", "-", NAME, "--url", service.url]
    refused(1, "501 Unsupported method", done=run(*push, recipe=RECIPE))
    service.post = Answer(200, {"Content-Length": "2"}, b"{}")
    refused(1, "not respond like a tensorseed", done=run(*push, recipe=RECIPE))
    service.post = Answer(301, {"Location": "https://else/", "Content-Length": "0"}, b"")
    refused(1, "redirects to https://else/", done=run(*push, recipe=RECIPE))


def test_terminal_obeys_a_service(service: Faulty) -> None:
    body = json.dumps({"detail": "\x1b[2J gone", "errors": "none"}).encode()
    headers = {"Content-Type": "application/problem+json", "Content-Length": str(len(body))}
    service.post = Answer(422, headers, body)
    done = run("push", "-", NAME, "--url", service.url, recipe=RECIPE)
    refused(1, "\ufffd[2J gone", done=done)
    assert "\x1b" not in done.stderr


def test_killed_pull_starts_over(service: Faulty, tmp_path: Path) -> None:
    """The service sends half, and nothing more until the process is gone."""
    weights = bytes(200_000)
    (service.folder / "model.safetensors").write_bytes(weights)
    (service.folder / "recipe.json").write_bytes(b"{}")
    pull = command("pull", NAME, "-o", tmp_path, "--url", service.url)
    seen = threading.Event()

    def stall(_: Answer) -> None:
        seen.set()
        gone.wait(60)

    gone = threading.Event()
    service.faults = [cut(100_000), stall]
    with subprocess.Popen(pull, env=environment(), cwd=ROOT) as process:
        assert seen.wait(60)
        process.kill()
    gone.set()
    assert {path.name[-5:] for path in tmp_path.iterdir()} == {".part"}
    service.requests.clear()
    assert run("pull", NAME, "-o", tmp_path, "--url", service.url).exit_code == 0
    (request,) = service.downloads()
    assert 90_000 <= request.start <= 100_000  # a killed process loses what it had not written
    assert (tmp_path / "model.safetensors").read_bytes() == weights


def test_disk_that_is_full_has_a_visible_part(service: Faulty, tmp_path: Path) -> None:
    """A limit on file size stands in for a full disk: the write fails half-way all the same."""
    (service.folder / "model.safetensors").write_bytes(bytes(900_000))
    (service.folder / "recipe.json").write_bytes(b"{}")
    script = (
        "import resource, runpy, signal;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000));"
        "runpy.run_module('service', run_name='__main__')"
    )
    pull = ["pull", NAME, "-o", str(tmp_path), "--url", service.url]
    done = subprocess.run(
        [sys.executable, "-c", script, *pull],
        check=False, capture_output=True, text=True, cwd=ROOT, env=environment(),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "tensorseed: [Errno 27] File too large\n"
    assert {path.name[-5:] for path in tmp_path.iterdir()} == {".part"}
    assert run(*pull).exit_code == 0
    assert (tmp_path / "model.safetensors").read_bytes() == bytes(900_000)


def test_url_holds_another_recipe(server: LiveServer) -> None:
    done = run("url", "-", "--url", f"{server.url}/", recipe=RECIPE)
    with urllib.request.urlopen(done.stdout.strip(), timeout=60) as response:
        assert response.read() == file_of(RECIPE)
    assert run("url", "-", recipe=RECIPE).stdout.startswith("http://127.0.0.1:8000/v1/r/")


def test_url_that_leads_nowhere_is_printed() -> None:
    done = run("url", "-", recipe=recipe_of(tensor("xaver")))
    refused(1, "/tensors/0/init: ", done=done)
    names = [os.urandom(24).hex() for _ in range(200)]
    done = run("url", "-", recipe=recipe_of(*(tensor(name=name) for name in names)))
    refused(1, "4,096", "tensorseed push", done=done)
    assert done.stdout == ""
