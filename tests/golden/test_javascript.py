"""An implementation in JavaScript, written from the documentation alone, gives the same files."""

import json
import random
import shutil
import subprocess
from typing import Any

import pytest

from tests.golden.test_golden import rows
from tests.native.cases import recipes
from tests.support import ROOT, bytes_of, plan_of, problems_of, recipe_of, tensor

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")

_LAWS = ["normal", "uniform", "truncated_normal"]
_GATES = ["ifgo", "ifog", "ofgi", "gifo"]
# The schemes that cases.py lacks, with the layouts and the parameters that each may have.
_SCHEMES: dict[str, tuple[list[str], dict[str, list[Any]]]] = {
    "orthogonal": (
        ["OI", "OI", "OIK", "OIB", "OOIK", "OIIB", "OIBB"],
        {"gain": [1, 0.3, "linear", "conv", "sigmoid", "tanh", "relu", "selu"]},
    ),
    "delta_orthogonal": (["OIK", "OIHW", "OIKKK", "OIKB", "OIIK"], {"gain": [1, 0.3, "tanh"]}),
    "sparse": (
        ["OI", "O", "OIK", "OIB", "IIKK"],
        {
            "sparsity": [0, 0.1, 0.5, 0.77, 1], "count": ["exact", "bernoulli"], "axis": [0, 1, 2],
            "std": [0.01, 1], "mean": [0, 0.5],
        },
    ),
    "positive_unitball": (["OI", "O", "OIK", "OIB"], {}),
    "bilinear": (["OIHW", "OIKK"], {"variant": ["caffe", "mxnet"]}),
    "siren": (["OI", "OIK", "OIB"], {"w0": [30, 1, 7.3], "first": [True, False]}),
    "critical": (
        ["OI", "O", "OIK", "OIB"],
        {
            "nonlinearity": ["linear", "tanh", "relu", "leaky_relu", "gelu", "silu"],
            "negative_slope": [0, 0, 0.3], "bias": [True, False], "distribution": _LAWS,
        },
    ),
    "spectral_mup": (["OI", "OIK", "OIB", "OOI"], {"distribution": _LAWS}),
    "zero": (["OI", "OIK", "OIHW"], {"scale": ["code", "paper"]}),
    "lstm_forget": (["O"], {"value": [1, -0.5], "gates": _GATES}),
    "chrono": (["O"], {"t_max": [2.0000000001, 2.5, 3, 784, 1e9], "gates": _GATES}),
    "sinusoidal": (["OI"], {"max_timescale": [10000, 1, 2.5, 1e6]}),
    "dirac": (["OIK", "OIHW"], {"gain": [2], "groups": [1, 2]}),
    "identity": (["OI"], {"gain": [-0.5]}),
    "irnn": (["OI"], {}),
}  # fmt: skip


def answers(sources: list[str]) -> list[tuple[str, str]]:
    """Return the file in hexadecimal and the plan digest of each recipe, from JavaScript."""
    command: list[Any] = ["node", "oracle.mjs", ROOT / "service/numerics/quantile.bin"]
    done = subprocess.run(
        command, input="\n".join(sources), cwd=ROOT / "tests/golden",
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(lines) == len(sources)
    return [(file, digest) for file, digest in lines]


def shuffled(dice: random.Random, letters: str) -> str:
    return "".join(dice.sample(letters, len(letters)))


def init_of(dice: random.Random, scheme: str) -> Any:
    """Return a random init of a scheme; sometimes only its name, if it has defaults."""
    parameters = _SCHEMES[scheme][1]
    if not parameters or (dice.random() < 0.2 and not {"sparsity", "t_max"} & {*parameters}):
        return scheme
    return {"scheme": scheme} | {name: dice.choice(of) for name, of in parameters.items()}


def tensor_of(dice: random.Random, scheme: str) -> dict[str, Any]:
    """Return a random tensor, which may be invalid: with or without parts, slice and draw."""
    letters, unit = dice.choice(_SCHEMES[scheme][0]), 4 if "gates" in _SCHEMES[scheme][1] else 1
    long = range(1, 71) if len(letters) == 2 else [1, 2, 3, 4, 5, 8]  # past a block of 32 columns
    shape = [unit * dice.choice(long) for _ in letters]
    members: dict[str, Any] = {"dtype": dice.choice(["F64", "F64", "F32", "F16", "BF16"])}
    draw: dict[str, Any] = {"name": "t"}
    if not letters.startswith("OI") or "B" in letters or dice.random() < 0.7:
        members["layout"] = shuffled(dice, letters)
        draw |= dice.choice([{}, {"layout": shuffled(dice, letters)}])
    if dice.random() < 0.5:
        members["draw"] = draw
    if dice.random() < 0.4:
        axis = dice.randrange(len(shape))
        size = shape[axis] // unit
        first = dice.randint(1, size)
        sizes = [first, size - first] if first < size else [size]
        inits = [init_of(dice, scheme), dice.choice(["zeros", init_of(dice, scheme)])]
        parts = [{"size": n * unit, "init": init} for n, init in zip(sizes, inits, strict=False)]
        members["parts"] = {"axis": axis, "of": parts}
    if dice.random() < 0.4:
        cuts = [sorted([dice.randint(0, size), dice.randint(0, size)]) for size in shape]
        members["slice"] = [dice.choice([None, cut]) for cut in cuts]
    return tensor(init_of(dice, scheme), shape, "w", **members)


def accepted(dice: random.Random, scheme: str, count: int) -> list[str]:
    """Return ``count`` valid recipes with a scheme."""
    valid: list[str] = []
    for _ in range(40 * count):
        recipe = recipe_of(tensor_of(dice, scheme), seed=str(dice.getrandbits(64)))
        if len(valid) < count and not problems_of(recipe):
            valid.append(json.dumps(recipe))
    assert len(valid) == count, scheme
    return valid


def check(sources: list[str]) -> None:
    for source, (file, digest) in zip(sources, answers(sources), strict=True):
        plan = plan_of(source)
        assert (file, digest) == (bytes_of(plan).hex(), plan.digest), source


def _is_raw(source: str) -> bool:
    """Whether a recipe states all its tensors; the specification has no layers or models."""
    return not {"layers", "model"} & json.loads(source).keys()


def test_javascript_disagrees_with_the_golden_file() -> None:
    expected = dict(rows("data"))
    digests = {source: digest for source, _, digest, _ in rows("file") if _is_raw(source)}
    sources = [*expected, *digests]
    for source, (file, digest) in zip(sources, answers(sources), strict=True):
        plan = plan_of(source)
        assert digest == digests.get(source, plan.digest)
        data = expected.get(source, bytes_of(plan)[len(plan.header) :].hex())
        assert file == plan.header.hex() + data


def test_javascript_disagrees_on_random_recipes() -> None:
    check([json.dumps(recipe) for recipe in recipes(400, seed=2)])


def test_javascript_disagrees_on_random_recipes_of_whole_laws() -> None:
    dice = random.Random(3)
    check([source for scheme in _SCHEMES for source in accepted(dice, scheme, 30)])
