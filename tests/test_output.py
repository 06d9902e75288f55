"""Files written by the library: whole under their name, or absent."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import service
from tests.support import file_of, plan_of, recipe_of, tensor

RECIPE = recipe_of(tensor(shape=[300, 1000]))


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_saved_file_is_not_the_stream(tmp_path: Path) -> None:
    seen: list[int] = []
    plan = service.save_file(RECIPE, tmp_path / "m.safetensors", seen.append)
    assert (tmp_path / "m.safetensors").read_bytes() == file_of(RECIPE)
    assert sum(seen) == plan.nbytes
    assert names_in(tmp_path) == ["m.safetensors"]


def test_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    service.save_file(RECIPE, tmp_path / "m")
    (tmp_path / "plain").touch()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("m", "plain")}
    assert len(modes) == 1


def test_failure_leaves_a_part_or_destroys_the_old(tmp_path: Path) -> None:
    target = tmp_path / "m"
    target.write_bytes(b"old")

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        service.save_file(RECIPE, target, fail)
    assert target.read_bytes() == b"old"
    assert names_in(tmp_path) == ["m"]


def test_full_disk_leaves_a_part(tmp_path: Path) -> None:
    """A limit on file size stands in for a full disk: the write fails half-way all the same."""
    script = (
        "import resource, signal, sys, service;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000));"
        "service.save_file(sys.argv[1], sys.argv[2])"
    )
    recipe = service.parse(RECIPE).canonical.decode()
    done = subprocess.run(
        [sys.executable, "-c", script, recipe, tmp_path / "m"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert names_in(tmp_path) == []


def test_symbolic_link_is_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    service.save_file(RECIPE, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == file_of(RECIPE)


def test_pipe_is_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (
        (tmp_path / "read").open("wb") as sink,
        subprocess.Popen(["cat", tmp_path / "pipe"], stdout=sink),
    ):
        service.save_file(RECIPE, tmp_path / "pipe")
    assert (tmp_path / "read").read_bytes() == file_of(RECIPE)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_library_takes_a_recipe_in_one_stage_only() -> None:
    recipe = service.parse(RECIPE)
    sources: list[Any] = [
        RECIPE,
        recipe,
        plan_of(RECIPE),
        recipe.canonical,
        recipe.canonical.decode(),
    ]
    arrays = [service.generate(source)["w"] for source in sources]
    assert all((array == arrays[0]).all() for array in arrays)
    assert arrays[0].dtype == np.dtype("<f4")


def test_import_loads_the_web_or_a_database_or_a_gpu() -> None:
    script = (
        "import sys, service;"
        "print([m for m in sys.modules if m.split('.')[0] in"
        " ('fastapi','starlette','uvicorn','click','rich','sqlalchemy','cupy','safetensors')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
