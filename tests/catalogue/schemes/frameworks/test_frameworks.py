"""Every framework's names against that framework's own formulas, written out in `formulas`."""

import json
import re
from typing import Any, get_args

import numpy as np
import pytest

import service
from service.catalogue.schemes import SCHEME_ALIASES, SCHEMES, Scheme
from service.catalogue.schemes.frameworks import (
    FRAMEWORK_ALIASES,
    FRAMEWORKS,
    UNMAPPED,
    FrameworkName,
)
from service.catalogue.schemes.scheme import canonical
from service.numerics.fans import Geometry
from tests.catalogue.schemes.frameworks.formulas import FANS, FORMULAS
from tests.catalogue.schemes.frameworks.laws import Law, Structure, meaning
from tests.catalogue.schemes.frameworks.page import MARK, PAGE, introduction, tables
from tests.support import data_of, recipe_of, tensor

SIZES = {"O": 48, "I": 32, "D": 2, "H": 3, "W": 5}
ODD = {"O": 6, "I": 4, "D": 3, "H": 3, "W": 3}
NAMES = [(key, name) for key in FRAMEWORKS for name in FRAMEWORKS[key].names]
STRUCTURES = [row for row in NAMES if isinstance(meaning(FORMULAS[row[0]][row[1]]), Structure)]


def scheme_of(init: Any) -> Scheme:
    made = service.parse(recipe_of(tensor(init))).tensors[0].init
    assert made is not None
    return made


def layouts_of(key: str, sizes: dict[str, int]) -> list[tuple[str, tuple[int, ...]]]:
    """Return the framework's layouts, each with a kernel's shape."""
    return [(text, tuple(sizes[x] for x in text)) for text in FRAMEWORKS[key].layouts]


@pytest.mark.parametrize("key", FRAMEWORKS)
def test_name_has_no_formula(key: str) -> None:
    assert set(FORMULAS[key]) == set(FRAMEWORKS[key].names)
    assert set(FANS) == set(FRAMEWORKS)


@pytest.mark.parametrize(("key", "name"), [row for row in NAMES if row not in STRUCTURES])
def test_law_is_not_the_frameworks(key: str, name: str) -> None:
    scheme = scheme_of(FRAMEWORKS[key].names[name])
    for letters, shape in layouts_of(key, SIZES):
        expected = meaning(FORMULAS[key][name], *FANS[key](shape))
        assert isinstance(expected, Law)
        law = scheme.resolve(Geometry(shape, letters))
        assert law.moments == pytest.approx((expected.mean, expected.std), rel=1e-7, abs=1e-15)
        if expected.high < float("inf"):
            assert law.extremes == pytest.approx((expected.low, expected.high), rel=1e-7, abs=1e-9)
        else:
            assert law.extremes[1] > 6 * expected.std


def kernels(key: str, name: str) -> list[tuple[str | None, tuple[int, ...]]]:
    """Return layouts and shapes that the name's structure takes."""
    said = meaning(FORMULAS[key][name])
    assert isinstance(said, Structure)
    if said.ranks == (1,):
        return [(None, (12,))]
    wide = dict(ODD, O=ODD["I"], I=ODD["O"])
    made: list[tuple[str | None, tuple[int, ...]]] = []
    for sizes in (ODD, wide) if "delta" not in name else (ODD,):
        made += [row for row in layouts_of(key, sizes) if len(row[0]) in said.ranks]
    return made


@pytest.mark.parametrize(("key", "name"), STRUCTURES)
def test_structure_is_not_the_frameworks(key: str, name: str) -> None:
    said = meaning(FORMULAS[key][name])
    assert isinstance(said, Structure)
    assert kernels(key, name)
    for letters, shape in kernels(key, name):
        layout = {} if letters is None else {"layout": letters}
        recipe = recipe_of(tensor(FRAMEWORKS[key].names[name], shape, dtype="F64", **layout))
        said.check(np.frombuffer(data_of(recipe)).reshape(shape), letters or "")


@pytest.mark.parametrize("side", range(1, 12))
@pytest.mark.parametrize("name", ["caffe.bilinear", "mxnet.Bilinear"])
def test_bilinear_kernel_of_a_side_is_another(name: str, side: int) -> None:
    key = name.partition(".")[0]
    said = meaning(FORMULAS[key][name])
    assert isinstance(said, Structure)
    shape = (2, 3, side, side)
    data = data_of(recipe_of(tensor(FRAMEWORK_ALIASES[name], shape, dtype="F64")))
    said.check(np.frombuffer(data).reshape(shape), "OIHW")


@pytest.mark.parametrize("name", FRAMEWORK_ALIASES)
def test_object_says_what_is_default(name: str) -> None:
    assert canonical(scheme_of(FRAMEWORK_ALIASES[name])) == FRAMEWORK_ALIASES[name]


def test_query_takes_another_framework_than_the_table() -> None:
    assert list(get_args(FrameworkName)) == list(FRAMEWORKS)


def test_two_names_clash() -> None:
    names = [name for f in FRAMEWORKS.values() for name in (*f.names, *f.unmapped)]
    assert len(names) == len(set(names))
    assert set(names) == FRAMEWORK_ALIASES.keys() | UNMAPPED.keys()
    assert not set(names) & (SCHEMES.keys() | SCHEME_ALIASES.keys())
    assert all("." in name for name in names), "no short name of ours has a dot"


@pytest.mark.parametrize("key", FRAMEWORKS)
def test_note_belongs_to_no_name(key: str) -> None:
    assert set(FRAMEWORKS[key].notes) <= set(FRAMEWORKS[key].names)


@pytest.mark.parametrize("name", UNMAPPED)
def test_reason_names_no_valid_object(name: str) -> None:
    reason = UNMAPPED[name]
    objects = re.findall(r"\{.*?\}", reason)
    assert objects or reason.startswith("no scheme: ")
    for text in objects:
        scheme_of(json.loads(text))


def test_recipe_takes_the_name_for_another_object() -> None:
    for name, init in FRAMEWORK_ALIASES.items():
        by_name, by_object = (service.parse(recipe_of(tensor(x))) for x in (name, init))
        assert by_name.recipe_id == by_object.recipe_id, name


def test_page_differs_from_the_tables() -> None:
    assert introduction().count("\n") <= 30
    assert PAGE.read_text("utf-8") == introduction() + MARK + tables()
