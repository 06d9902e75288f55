"""The command: its output, its exit statuses, its files, its settings."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import service
from service.catalogue.listing import framework, model_schemes, schemes
from service.catalogue.schemes import FRAMEWORKS
from service.settings import Settings
from tests.support import ROOT, bytes_of, file_of, plan_of, recipe_of, tensor

RECIPE = recipe_of(tensor(shape=[30, 20]), tensor("xavier", [4, 4], "v", dtype="BF16"))


def run(*arguments: Any, stdin: bytes = b"", **environment: Any) -> Any:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TENSORSEED_")}
    return subprocess.run(
        [sys.executable, "-m", "service", *map(str, arguments)],
        check=False,
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        env={**clean, **environment},
        timeout=60,
    )


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE), "utf-8")
    return path


def test_generated_file_is_not_the_librarys(recipe: Path, tmp_path: Path) -> None:
    assert run("generate", recipe, "-o", tmp_path / "m").returncode == 0
    assert (tmp_path / "m").read_bytes() == file_of(RECIPE)
    piped = run("generate", "-", "-o", "-", stdin=recipe.read_bytes())
    assert piped.stdout == file_of(RECIPE)
    assert piped.stderr == b""


def test_shards_have_another_size(recipe: Path, tmp_path: Path) -> None:
    for size, names in {
        "2kB": ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
        "1GiB": ["model.safetensors"],
    }.items():
        folder = tmp_path / size
        assert run("generate", recipe, "-o", folder, "--shard-size", size).returncode == 0
        index = ["model.safetensors.index.json"] * (len(names) > 1)
        assert sorted(p.name for p in folder.iterdir()) == sorted([*names, *index, "recipe.json"])
    assert (tmp_path / "1GiB/model.safetensors").read_bytes() == file_of(RECIPE)
    assert b"another checkpoint" in run(
        "generate", recipe, "-o", tmp_path / "1GiB", "--shard-size", "2kB"
    ).stderr  # fmt: skip


@pytest.mark.parametrize("size", ["", "0", "51GB", "5 parsecs"])
def test_size_that_is_none_ends_in_a_traceback(size: str, recipe: Path, tmp_path: Path) -> None:
    done = run("generate", recipe, "-o", tmp_path / "out", "--shard-size", size)
    assert done.returncode == 2
    assert b"Invalid value for '--shard-size': " in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_folder_that_is_none_ends_in_a_traceback(recipe: Path, tmp_path: Path) -> None:
    for output in (recipe, "-"):
        done = run("generate", recipe, "-o", output, "--shard-size", "5GB")
        assert done.returncode != 0
        assert b"Traceback" not in done.stderr
    assert not Path("-").exists()
    many = json.dumps(recipe_of(*(tensor(name=str(i)) for i in range(10)))).encode()
    done = run("generate", "-", "-o", tmp_path / "out", "--shard-size", "1", stdin=many,
               TENSORSEED_MAX_SHARDS="5")  # fmt: skip
    assert b"/shard_size: " in done.stderr
    assert done.returncode == 1


def test_plan_is_not_the_services(recipe: Path) -> None:
    table = run("plan", recipe).stdout.decode()
    assert "kaiming" not in table
    assert "xavier" in table
    assert plan_of(RECIPE).etag in table
    body = json.loads(run("plan", recipe, "--json").stdout)
    assert body["etag"] == plan_of(RECIPE).etag


def test_warning_is_kept_back(tmp_path: Path) -> None:
    quiet = recipe_of(tensor({"scheme": "normal", "std": 1e-7}, dtype="F16"))
    done = run("plan", "-", stdin=json.dumps(quiet).encode())
    assert b"below F16's smallest" in done.stderr


def test_verify_passes_another_file(recipe: Path, tmp_path: Path) -> None:
    body = bytearray(file_of(RECIPE))
    (tmp_path / "m").write_bytes(body)
    assert run("verify", recipe, tmp_path / "m").returncode == 0
    body[-1] ^= 1
    (tmp_path / "m").write_bytes(body)
    done = run("verify", recipe, tmp_path / "m")
    assert done.returncode == 1
    assert b"the first difference is in v, at element 15" in done.stdout
    (tmp_path / "m").write_bytes(b"no")
    assert run("verify", recipe, tmp_path / "m").returncode == 1


@pytest.mark.parametrize("command", ["generate", "plan", "verify"])
def test_bad_recipe_ends_in_a_traceback(command: str, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    extras: dict[str, list[Any]] = {
        "generate": ["-o", tmp_path / "m"],
        "plan": [],
        "verify": [tmp_path / "f"],
    }
    extra = extras[command]
    nothing = b"/tensors: the recipe has no tensors: state tensors"
    for text, said in ((b"{", b"not JSON"), (b'{"seed":1}', nothing)):
        done = run(command, "-", *extra, stdin=text)
        assert done.returncode == 1
        assert said in done.stderr
        assert b"Traceback" not in done.stderr
    assert not (tmp_path / "m").exists()


def test_unwritable_output_ends_in_a_traceback(recipe: Path, tmp_path: Path) -> None:
    done = run("generate", recipe, "-o", tmp_path / "missing" / "m")
    assert done.returncode == 1
    assert b"No such file or directory" in done.stderr
    assert b"Traceback" not in done.stderr


def test_closed_pipe_ends_in_a_traceback(tmp_path: Path) -> None:
    vast = tmp_path / "vast.json"
    vast.write_text(json.dumps(recipe_of(tensor(shape=[1 << 28]))))
    command = f"'{sys.executable}' -m service generate {vast} -o - | head -c 10 | wc -c"
    done = subprocess.run(["bash", "-c", command], check=True, capture_output=True, cwd=ROOT)
    assert done.stdout.strip() == b"10"
    assert done.stderr == b""


def test_standard_output_by_name_is_refused(recipe: Path) -> None:
    command = f"'{sys.executable}' -m service generate {recipe} -o /dev/stdout | cat"
    done = subprocess.run(["bash", "-c", command], check=True, capture_output=True, cwd=ROOT)
    assert done.stdout == file_of(RECIPE)


def test_longest_file_name_is_refused(recipe: Path, tmp_path: Path) -> None:
    assert run("generate", recipe, "-o", tmp_path / ("m" * 255)).returncode == 0


def test_termination_leaves_a_part_of_a_file(tmp_path: Path) -> None:
    vast, folder = tmp_path / "vast.json", tmp_path / "out"
    vast.write_text(json.dumps(recipe_of(tensor(shape=[1 << 30]))))
    folder.mkdir()
    command: list[Any] = [sys.executable, "-m", "service", "generate", vast, "-o", folder / "m"]
    with subprocess.Popen(command, cwd=ROOT) as process:
        while not list(folder.iterdir()):
            assert process.poll() is None
        process.terminate()
        assert process.wait(30) == 128 + 15
    assert list(folder.iterdir()) == []


def test_names_are_markup_in_a_table() -> None:
    odd = recipe_of(tensor(name="a:heart:[red]b"), tensor(name="\\[x]"))
    printed = run("plan", "-", stdin=json.dumps(odd).encode()).stdout.decode()
    assert "a:heart:[red]b" in printed
    assert "\\[x]" in printed


def test_schemes_lack_one() -> None:
    table = run("schemes").stdout.decode()
    assert all(entry["name"] in table and entry["formula"] in table for entry in schemes())
    assert all(entry["name"] in table for entry in model_schemes())
    listed = {"schemes": schemes(), "model_schemes": model_schemes()}
    assert json.loads(run("schemes", "--json").stdout) == listed


def test_frameworks_names_lack_one() -> None:
    for name in FRAMEWORKS:
        table = run("schemes", "--framework", name).stdout.decode()
        assert all(alias in table for alias in framework(name)["names"])
    printed = run("schemes", "--framework", "candle", "--json").stdout
    assert json.loads(printed) == json.loads(json.dumps(framework("candle")))
    assert b"'candle'" in run("schemes", "--framework", "candel").stderr


def test_flag_loses_to_environment_or_environment_to_file(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(
        'port = 1\nmax_tensors = 5\ncors_origins = ["https://a", "https://b"]\n'
    )
    environment: dict[str, Any] = {
        "TENSORSEED_CONFIG": str(tmp_path / "t.toml"),
        "TENSORSEED_PORT": "2",
    }
    shown = json.loads(run("config", "--json", **environment).stdout)
    assert (shown["port"], shown["max_tensors"]) == (2, 5)
    assert shown["cors_origins"] == ["https://a", "https://b"]
    assert set(shown) == set(Settings.model_fields)
    settings = Settings(port=3)
    assert Settings(**settings.model_dump()) == settings
    refused = run(
        "plan",
        "-",
        stdin=json.dumps(recipe_of(*(tensor(name=str(i)) for i in range(6)))).encode(),
        **environment,
    )
    assert b"6 tensors; the limit (max_tensors) is 5" in refused.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TENSORSEED_PORT": "abc"}, b"port (TENSORSEED_PORT): "),
        ({"TENSORSEED_PORT": "70000"}, b"port (TENSORSEED_PORT): "),
        ({"TENSORSEED_LOG_LEVEL": "loud"}, b"log_level (TENSORSEED_LOG_LEVEL): "),
        ({"TENSORSEED_CONFIG": "/nonexistent.toml"}, b"nonexistent.toml"),
        ({"TENSORSEED_BODY_TIMEOUT": "inf"}, b"body_timeout (TENSORSEED_BODY_TIMEOUT): "),
    ],
)
def test_bad_setting_ends_in_a_traceback_or_is_ignored(
    environment: dict[str, Any], said: bytes
) -> None:
    done = run("config", **environment)
    assert done.returncode == 1
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


def test_environment_of_a_worker_is_another() -> None:
    settings = Settings(cors_origins=("https://a", "https://b"), port=9, body_timeout=0.5)
    saved = dict(os.environ)
    os.environ.update(settings.environment())
    try:
        assert Settings() == settings
    finally:
        os.environ.clear()
        os.environ.update(saved)


def test_grown_file_or_plan_is_not_the_librarys(recipe: Path, tmp_path: Path) -> None:
    values = np.arange(16, dtype=np.float32).reshape(4, 4)
    save_file({"v": values, "w": values, "\x1b[2J": values}, tmp_path / "donor")
    with service.open_donor(tmp_path / "donor") as donor:
        plan = service.grown(plan_of(RECIPE), donor)
        body, etag = bytes_of(plan), plan.etag
    flags = ("--donor", tmp_path / "donor")
    assert run("generate", recipe, "-o", tmp_path / "m", *flags).returncode == 0
    assert (tmp_path / "m").read_bytes() == body
    done = run("generate", recipe, "-o", tmp_path / "shards", "--shard-size", "2kB", *flags)
    assert done.returncode == 0
    shards = [path.read_bytes() for path in sorted((tmp_path / "shards").glob("*.safetensors"))]
    assert len(shards) == 2
    assert shards[1].endswith(body[-32:])
    table = run("plan", recipe, *flags).stdout.decode()
    assert etag in table
    assert "1 tensors, 32 bytes, are copied; 2 of the donor's are not used" in table
    assert "not used: 'w': its shape is [4, 4], the recipe's [30, 20]" in table
    assert r"not used: '\x1b[2J': the recipe has no tensor of this name" in table
    assert "│ v      │ BF16  │ [4, 4]   │ donor  │ cast from F32 │      │      │" in table
    assert json.loads(run("plan", recipe, "--json", *flags).stdout)["etag"] == etag


def test_donor_that_is_none_leaves_a_file(recipe: Path, tmp_path: Path) -> None:
    save_file({"x": np.ones(3, np.float32)}, tmp_path / "other")
    (tmp_path / "text").write_text("not safetensors", "utf-8")
    for name in ("text", "missing", "other"):
        done = run("generate", recipe, "-o", tmp_path / "out", "--donor", tmp_path / name)
        assert done.returncode in {1, 2}
        assert done.stderr
        assert b"Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()


def test_file_grows_onto_its_own_donor(recipe: Path, tmp_path: Path) -> None:
    values = np.ones((4, 4), np.float32)
    save_file({"v": values}, tmp_path / "m")
    for _ in range(2):
        done = run("generate", recipe, "-o", tmp_path / "m", "--donor", tmp_path / "m")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "m").read_bytes()[-32:] == b"\x80\x3f" * 16
