"""Our laws against tensors that the frameworks themselves draw, each in its own layout."""

import importlib
import inspect
import operator
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import service
from service.catalogue.distributions import Normal
from service.catalogue.schemes.frameworks import FRAMEWORK_ALIASES, FRAMEWORKS
from service.numerics.fans import Geometry
from tests.catalogue.schemes.frameworks.formulas import FORMULAS
from tests.catalogue.schemes.frameworks.laws import Structure, meaning
from tests.support import recipe_of, tensor

SIZES = {"O": 320, "I": 200, "H": 3, "W": 5}
SQUARE = {"O": 16, "I": 12, "H": 3, "W": 3}
Draw = Callable[[str, tuple[int, ...]], Any]


def imported(package: str) -> Any:
    return pytest.importorskip(package, reason=f"{package} is not installed: make test-full")


def by_torch(name: str, shape: tuple[int, ...]) -> Any:
    torch = imported("torch")
    torch.manual_seed(1)
    array = torch.empty(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # names without an underscore
        getattr(torch.nn.init, name.rpartition(".")[2])(array)
    return array.numpy()


def by_keras(name: str, shape: tuple[int, ...]) -> Any:
    keras = imported("keras")
    keras.utils.set_random_seed(1)
    return np.asarray(keras.src.initializers.ALL_OBJECTS_DICT[name.rpartition(".")[2]]()(shape))


def by_jax(name: str, shape: tuple[int, ...]) -> Any:
    jax = imported("jax")
    imported(name.partition(".")[0])
    package, module, path = name.split(".", 2)
    made = operator.attrgetter(path)(importlib.import_module(f"{package}.{module}"))
    leaf = name.rpartition(".")[2]
    if leaf not in ("zeros", "ones") and not leaf.startswith("default_"):
        made = made()
    return np.asarray(made(jax.random.key(1), shape))


DRAWN: dict[str, Draw] = {"torch": by_torch, "keras": by_keras, "jax": by_jax, "flax": by_jax}
NAMES = [(key, name) for key in DRAWN for name in FRAMEWORKS[key].names]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")


def kernel(key: str, name: str, sizes: dict[str, int], rank: int) -> tuple[str, tuple[int, ...]]:
    letters = "OI" if "embed" in name else FRAMEWORKS[key].layouts[{2: 0, 4: 2}[rank]]
    return letters, tuple(sizes[x] for x in letters)


def compare(array: Any, name: str, letters: str) -> None:
    """Compare a million draws with our law: five sigma of their moments, and where they end."""
    scheme = service.parse(recipe_of(tensor(FRAMEWORK_ALIASES[name]))).tensors[0].init
    assert scheme is not None
    law = scheme.resolve(Geometry(array.shape, letters))
    drawn = np.asarray(array, dtype=np.float64)
    (mean, std), (low, high) = law.moments, law.extremes
    assert drawn.std() == pytest.approx(std, rel=5 / np.sqrt(2 * drawn.size), abs=1e-12)
    assert drawn.mean() == pytest.approx(mean, rel=1e-6, abs=5 * std / np.sqrt(drawn.size) + 1e-12)
    if isinstance(law, Normal):
        assert 4.2 * std < np.abs(drawn).max() < 6.4 * std
        return
    edge = 1e-3 * (high - low)
    assert low - 1e-6 * edge <= drawn.min() <= low + edge
    assert high - edge <= drawn.max() <= high + 1e-3 * edge


@pytest.mark.parametrize(("key", "name"), NAMES)
def test_framework_draws_from_another_law(key: str, name: str) -> None:
    said = meaning(FORMULAS[key][name])
    if isinstance(said, Structure):
        rank = 4 if 4 in said.ranks else 2
        letters, shape = kernel(key, name, SQUARE, rank)
        said.check(np.asarray(DRAWN[key](name, shape), dtype=np.float64), letters)
        return
    letters, shape = kernel(key, name, SIZES, 4)
    compare(DRAWN[key](name, shape), name, letters)
    if "normal" in name or "uniform" in name:
        letters, shape = kernel(key, name, {"O": 1200, "I": 800}, 2)
        compare(DRAWN[key](name, shape), name, letters)


def names_under(key: str, path: str) -> set[str]:
    known = (*FRAMEWORKS[key].names, *FRAMEWORKS[key].unmapped)
    return {name.removeprefix(path) for name in known if name.startswith(path)}


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("torch", "torch.nn.init"),
        ("jax", "jax.nn.initializers"),
        ("flax", "flax.linen.initializers"),
        ("flax", "flax.nnx.initializers"),
    ],
)
def test_framework_has_an_initializer_without_entry(key: str, path: str) -> None:
    imported(key)
    parent, _, leaf = path.rpartition(".")
    module = getattr(importlib.import_module(parent), leaf)
    theirs = {name for name, _ in inspect.getmembers(module, inspect.isfunction)}
    assert {name for name in theirs if name[0] != "_"} == names_under(key, f"{path}.")


@pytest.mark.parametrize("path", ["keras.", "keras.initializers."])
def test_keras_has_an_identifier_without_entry(path: str) -> None:
    known = set(imported("keras").src.initializers.ALL_OBJECTS_DICT)
    known -= {"Initializer", "initializer"}
    assert {name for name in known if isinstance(name, str)} <= names_under("keras", path)
