"""Files written by the library: complete or absent."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import service
from service.checkpoint.files import INDEX, WEIGHTS, Checkpoint, Cut, checkpoint
from service.checkpoint.save import save_checkpoint
from tests.support import file_of, plan_of, recipe_of, tensor

RECIPE = recipe_of(tensor(shape=[300, 1000]))


MODEL = {"seed": 1, "model": {"preset": "gpt2", "n_layer": 1, "n_embd": 12, "n_head": 2}}


def checkpoint_of(recipe: Any, shard_size: int = 5 * 10**9) -> Checkpoint:
    parsed = service.parse(recipe)
    cut = Cut.model_validate({"shard_size": shard_size})
    return checkpoint(parsed, service.compile(parsed), cut, service.Limits())


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
    """A limit on file size simulates a full disk: the write fails half-way."""
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


def test_shards_are_not_the_whole(tmp_path: Path) -> None:
    made, seen = checkpoint_of(MODEL, 20_000), list[int]()
    save_checkpoint(made, tmp_path / "a" / "b", seen.append)
    assert set(names_in(tmp_path / "a" / "b")) == set(made.files)
    assert sum(seen) == sum(file.nbytes for file in made.files.values())
    index = json.loads((tmp_path / "a" / "b" / INDEX).read_bytes())
    assert len(set(index["weight_map"].values())) == len(made.shards) > 2
    whole = service.generate(MODEL)
    assert set(index["weight_map"]) == set(whole)
    for name in set(index["weight_map"].values()):
        for tensor_name, array in load_file(tmp_path / "a" / "b" / name).items():
            assert index["weight_map"][tensor_name] == name
            assert (array == whole[tensor_name]).all()
    assert service.parse((tmp_path / "a" / "b" / "recipe.json").read_bytes()) == made.recipe
    assert json.loads((tmp_path / "a" / "b" / "config.json").read_bytes())["n_embd"] == 12


def test_unfinished_shards_have_an_index(tmp_path: Path) -> None:
    made = checkpoint_of(MODEL, 20_000)

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    for folder in (tmp_path / "new", tmp_path / "old"):
        if folder.name == "old":
            save_checkpoint(made, folder)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(made, folder, fail)
        assert INDEX not in names_in(folder)
        assert not [name for name in names_in(folder) if name.startswith(".")]
    save_checkpoint(made, tmp_path / "old")
    assert set(names_in(tmp_path / "old")) == set(made.files)


def test_weights_of_two_cuts_share_a_folder(tmp_path: Path) -> None:
    """A program may load the wrong one: transformers prefers model.safetensors to an index."""
    one, many = checkpoint_of(MODEL), checkpoint_of(MODEL, 20_000)
    save_checkpoint(one, tmp_path / "one")
    save_checkpoint(one, tmp_path / "one")
    with pytest.raises(FileExistsError, match=r"another checkpoint, model\.safetensors: "):
        save_checkpoint(many, tmp_path / "one")
    assert set(names_in(tmp_path / "one")) == set(one.files)
    save_checkpoint(many, tmp_path / "many")
    for other in (one, checkpoint_of(MODEL, 1)):
        with pytest.raises(FileExistsError, match=r"of another checkpoint, model-0.* remove"):
            save_checkpoint(other, tmp_path / "many")
    assert WEIGHTS not in names_in(tmp_path / "many")
