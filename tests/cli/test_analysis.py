"""The commands of the analysis: charts, JSON, gains, and errors without a traceback."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from service.analysis import calibrate
from tests.analysis.support import (
    LIMITS,
    PIPELINE,
    analysed,
    calibrated,
    conv,
    dense,
    recipe_of,
)
from tests.analysis.test_transformer import TINY
from tests.cli.test_commands import run

RECIPE = recipe_of(dense(30, 16), "xavier_normal")
TEXT = json.dumps(RECIPE).encode()
IMAGES = json.dumps(recipe_of(conv(2, 4))).encode()


def test_chart_lacks_layers_or_a_verdict() -> None:
    done = run("analyse", "-", stdin=TEXT)
    assert done.returncode == 0
    printed = done.stdout.decode()
    assert analysed(RECIPE)["curves"][0]["verdict"] in printed
    for name in ("fc1 ", "fc30 "):
        assert name in printed
    assert printed.count("fc") == 17
    assert "-8.7" in printed  # log10 of 29 halvings, at the last layer


def test_printed_json_is_not_the_routes() -> None:
    done = run("analyse", "-", "--json", "--activation", "tanh", "--compare", "orthogonal",
               "--compare", '{"scheme": "normal", "std": 0.1}', "--measure", "--batch", "4",
               "--seeds", "2", "--variance", "2", stdin=TEXT)  # fmt: skip
    assert done.returncode == 0
    assert json.loads(done.stdout) == analysed(
        RECIPE,
        activation="tanh",
        compare=["orthogonal", {"scheme": "normal", "std": 0.1}],
        measure={"batch": 4, "seeds": 2},
        input={"variance": 2.0},
    )


def test_flags_of_a_chain_are_not_passed_on() -> None:
    done = run("analyse", "-", "--json", "--activation", "leaky_relu", "--slope", "0.2", "--size",
               "6,5", "--residual-scale", "0.5", stdin=IMAGES)  # fmt: skip
    members = {"activation": {"name": "leaky_relu", "negative_slope": 0.2}, "residual_scale": 0.5}
    expected = analysed(json.loads(IMAGES), **members, input={"size": [6, 5]})
    assert json.loads(done.stdout) == expected


def test_compared_or_measured_curve_is_not_charted() -> None:
    done = run("analyse", "-", "--compare", "zeros", "--measure", stdin=TEXT)
    printed = done.stdout.decode()
    assert "\nrecipe: " in printed
    assert "\nzeros: " in printed
    assert "zero" in printed
    assert done.stderr == b""


def test_calibrated_recipe_is_not_the_librarys() -> None:
    done = run("calibrate", "-", "--activation", "tanh", "--batch", "32", stdin=TEXT)
    assert done.returncode == 0
    expected = calibrated(RECIPE, activation="tanh", batch=32)
    assert json.loads(done.stdout) == expected["recipe"]
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 30
    assert lines[0].startswith("fc1: std ")
    assert lines[0].endswith(f"gain {expected['layers'][0]['gain']:g}")
    assert run("plan", "-", stdin=done.stdout).returncode == 0


def test_models_own_activation_is_not_taken() -> None:
    text = json.dumps({"seed": 1, "model": TINY}).encode()
    found = json.loads(run("analyse", "-", "--json", stdin=text).stdout)
    assert found["layers"][2]["activation"] == {"name": "gelu"}


@pytest.mark.parametrize("command", ["analyse", "calibrate"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", b"not JSON"),
        (b"", b"not JSON"),
        (b"[]", b"/recipe: Input should be an object"),
        (b'{"seed": 1, "layers": [{"type": "linear"}]}', b"/recipe/layers/0/name"),
        (b'{"seed": 1}, "residual_scale": 3', b"not JSON: Extra data"),
    ],
)
def test_bad_recipe_ends_in_a_traceback(command: str, text: bytes, said: bytes) -> None:
    done = run(command, "-", stdin=text)
    assert done.returncode == 1
    assert said in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--activation", "rely"], b"/activation"),
        (["--slope", "0.1"], b"belongs to leaky_relu"),
        (["--size", "8"], b"/input/size"),
        (["--size", "a,b"], b"--size"),
        (["--size", ""], b"--size"),
        (["--compare", "{"], b"--compare"),
        (["--compare", "xaviar"], b"/compare/0"),
        (["--measure", "--batch", "1"], b"/measure/batch"),
        (["--variance", "nan"], b"NaN"),
    ],
)
def test_bad_flag_ends_in_a_traceback(flags: list[Any], said: bytes) -> None:
    done = run("analyse", "-", *flags, stdin=TEXT)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


def test_gains_are_not_those_of_the_data(tmp_path: Path) -> None:
    """Images with one bright channel, channels first, through a chain that flattens them."""
    layers = [*conv(1, 4), {**dense(1, 80)[0], "out_features": 3}]
    data = np.random.default_rng(1).normal(0.0, 1.0, (32, 4, 5, 4))
    data[:, 2] *= 10
    save_file({"images": data}, tmp_path / "data.safetensors")
    text = json.dumps(recipe_of(layers)).encode()
    done = run("calibrate", "-", "--data", str(tmp_path / "data.safetensors"), stdin=text)
    assert done.returncode == 0
    request = json.dumps({"recipe": recipe_of(layers)}).encode()
    found = calibrate(request, LIMITS, PIPELINE, data)
    assert json.loads(done.stdout) == found["recipe"]
    assert found["layers"][0]["std"] > 2
    turned = calibrate(request.replace(b'{"recipe": {', b'{"recipe": {"convention": "keras", '),
                       LIMITS, PIPELINE, np.moveaxis(data, 1, -1))  # fmt: skip
    assert turned["layers"][0]["std"] == pytest.approx(found["layers"][0]["std"], rel=0.3)


def test_data_that_is_no_batch_ends_in_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"no")
    done = run("calibrate", "-", "--data", str(tmp_path / "data"), stdin=TEXT)
    assert done.returncode == 1
    assert done.stderr.startswith(b"tensorseed: no safetensors header")
