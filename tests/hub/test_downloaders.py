"""curl, wget and aria2 resume what they have of a file, and get the bytes that a POST gets."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.hub.support import LARGE, without_settings
from tests.support import file_of
from tools.live import LiveServer

WHOLE = file_of(LARGE)
HEADER = 8 + int.from_bytes(WHOLE[:8], "little")
COMMANDS = {
    "curl": "curl --silent --show-error -C - -o {} {}",
    "wget": "wget --quiet -c -O {} {}",
    "aria2c": "aria2c --quiet --no-conf -x4 -s4 -k1M -c -o {} {}",
}


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed: make toolchains")
    return COMMANDS[request.param]


@pytest.fixture(params=["name", "recipe"])
def url(request: pytest.FixtureRequest, hub: LiveServer) -> str:
    if request.param == "name":
        return f"{hub.url}/acme/large/resolve/main/model.safetensors"
    made = hub.get("/v1/names/acme/large")["recipe_id"]
    return f"{hub.url}/v1/recipes/{made}/model.safetensors"


def download(command: str, url: str, folder: Path) -> bytes:
    words = command.format("got", url).split()
    done = subprocess.run(
        words,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env=without_settings(folder),
    )
    assert done.returncode == 0, done.stderr
    return (folder / "got").read_bytes()


def test_file_by_a_url_is_not_the_bodys_of_a_post(
    url: str, hub: LiveServer, tmp_path: Path
) -> None:
    with hub.post("/v1/weights", LARGE) as response:
        posted = response.read()
    got = download(COMMANDS["curl"], url, tmp_path) if shutil.which("curl") else WHOLE
    assert hashlib.sha256(posted).digest() == hashlib.sha256(got).digest()
    assert hashlib.sha256(posted).digest() == hashlib.sha256(WHOLE).digest()


@pytest.mark.parametrize("start", [1, HEADER - 3, 1_234_567, len(WHOLE) - 1, len(WHOLE)])
def test_cut_file_resumes_as_another(command: str, url: str, start: int, tmp_path: Path) -> None:
    (tmp_path / "got").write_bytes(WHOLE[:start])
    got = download(command, url, tmp_path)
    assert hashlib.sha256(got).digest() == hashlib.sha256(WHOLE).digest()


def test_four_connections_do_not_share_a_file(url: str, tmp_path: Path) -> None:
    if shutil.which("aria2c") is None:
        pytest.skip("aria2c is not installed: make toolchains")
    got = download(f"{COMMANDS['aria2c']} --log=log --log-level=info", url, tmp_path)
    assert hashlib.sha256(got).digest() == hashlib.sha256(WHOLE).digest()
    ranges = (tmp_path / "log").read_text("utf-8").count("Range: bytes=")
    assert ranges >= 3  # of four connections, the first asks for everything
