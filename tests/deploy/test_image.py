"""The Dockerfile, read: what `make image-test` would find late, and what only a text can show."""

import json
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from typing import NamedTuple

import pytest

from service.settings import PREFIX, Settings
from tests.support import ROOT
from tools.live import LiveServer

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SHELLS = {"sh", "bash", "dash", "ash", "CMD-SHELL"}


class Instruction(NamedTuple):
    word: str
    rest: str

    @property
    def exec_form(self) -> list[str]:
        """The arguments; a shell's form is no JSON, and raises."""
        found: list[str] = json.loads(self.rest[self.rest.index("[") :])
        assert all(isinstance(argument, str) for argument in found)
        return found


def instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in whole]


def stages() -> list[list[Instruction]]:
    """Return the stages, each with its FROM; what stands before the first is left out."""
    made: list[list[Instruction]] = []
    for each in instructions(DOCKERFILE):
        if each.word == "FROM":
            made.append([])
        if made:
            made[-1].append(each)
    return made


def stage(name: str) -> list[Instruction]:
    (found,) = (each for each in stages() if each[0].rest.endswith(f" AS {name}"))
    return found


def every(word: str, name: str = "cpu") -> list[Instruction]:
    return [each for each in stage(name) if each.word == word]


def only(word: str) -> Instruction:
    (found,) = every(word)
    return found


def variables() -> dict[str, str]:
    return dict(pair.split("=", 1) for each in every("ENV") for pair in shlex.split(each.rest))


def test_final_stage_builds_on_the_first() -> None:
    assert [each[0].rest for each in stages()] == [
        "${BASE} AS build",
        "${BASE} AS cpu",
        "build AS build-cuda",
        "cpu AS cuda",
        "cpu",  # is what is built where no target is named
    ]
    assert len(stages()[-1]) == 1
    assert [each.rest.split()[0] for each in every("COPY")] == ["--from=build"]
    assert not every("ADD")
    # Nothing is installed in it, so no package lists can stay.
    assert not [run for run in every("RUN") if re.search(r"\b(apt|apt-get|pip|gcc)\b", run.rest)]


def test_image_for_gpus_is_another() -> None:
    """It differs from the other one by what is installed, and by what the driver looks for."""
    assert {each.word for each in stage("cuda")} == {"FROM", "COPY", "ENV"}
    assert [each.rest.split()[0] for each in every("COPY", "cuda")] == ["--from=build-cuda"]
    (installing,) = (each.rest for each in every("RUN", "build-cuda") if " install " in each.rest)
    (default,) = (each.rest for each in every("ARG", "build-cuda"))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert default.replace("CUDA=", "cuda") in extras["optional-dependencies"]
    assert "cuda${CUDA}" in installing


def test_base_is_whatever_is_the_latest() -> None:
    (base,) = re.findall(r"^ARG BASE=(\S+)", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"[a-z/]+:\d\S*", base)


def test_packages_come_from_an_old_list_or_bring_others() -> None:
    runs = [each.rest for stage in stages() for each in stage if each.word == "RUN"]
    installing = [run for run in runs if "apt-get install" in run]
    assert installing
    for run in installing:
        assert run.startswith("apt-get update && ")
        assert not re.search(r"apt-get install(?! -y --no-install-recommends )", run)


def test_user_is_root_or_has_only_a_name() -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", only("USER").rest)
    words = [each.word for each in stage("cpu")]
    assert "RUN" not in words[words.index("USER") :]


def test_volume_is_not_the_users_before_it_is_one() -> None:
    volume, user = only("VOLUME").rest, only("USER").rest
    made = next(each for each in every("RUN") if f"chown {user} {volume}" in each.rest)
    order = stage("cpu")
    assert order.index(made) < order.index(only("VOLUME")) < order.index(only("USER"))
    assert variables()["TENSORSEED_DATA_DIR"] == volume


def test_signal_goes_to_a_shell_instead_of_the_server() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert only("ENTRYPOINT").exec_form == list(project["scripts"])
    assert only("CMD").exec_form == ["serve"]
    assert only("STOPSIGNAL").rest == "SIGTERM"


def test_environment_sets_what_is_no_setting() -> None:
    given = {name for name in variables() if name.startswith(PREFIX)}
    assert {name.removeprefix(PREFIX).lower() for name in given} <= set(Settings.model_fields)
    assert only("EXPOSE").rest == variables()["TENSORSEED_PORT"]
    assert variables()["PYTHONDONTWRITEBYTECODE"] == "1"  # its root may be read-only


def test_ignored_file_is_copied() -> None:
    copied = {source for each in every("COPY", "build") for source in each.rest.split()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {project["readme"], *project["license-files"], "pyproject.toml"} <= copied


@pytest.fixture
def health() -> list[str]:
    command = only("HEALTHCHECK").exec_form
    assert command[0] == "python3"
    assert not SHELLS & set(command)
    return [sys.executable, *command[1:]]


def test_health_is_not_the_servers(health: list[str], server: LiveServer) -> None:
    def status(port: int) -> int:
        environment = {"TENSORSEED_PORT": str(port)}
        done = subprocess.run(health, env=environment, capture_output=True, check=False, timeout=30)
        return done.returncode

    assert status(server.port) == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        unused = free.getsockname()[1]
    assert status(unused) != 0


def test_health_waits_longer_than_an_engine_does() -> None:
    flags = dict(re.findall(r"--([a-z-]+)=(\d+)s", only("HEALTHCHECK").rest))
    (own,) = re.findall(r"timeout=(\d+)\)", only("HEALTHCHECK").rest)
    assert int(own) < int(flags["timeout"]) <= int(flags["interval"])
