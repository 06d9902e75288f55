"""The documentation's charts: each is shown, described, small, and made from today's theory."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT
from tools.pictures.numbers import FOLDER, Numbers, carried, theory
from tools.pictures.subjects import PICTURES, Picture

_NEAR = 0.0021
"""Of decimal logarithms: what is carried is rounded to a thousandth."""


def shown() -> Iterator[tuple[Path, str]]:
    """Yield each chart that a page shows, with what it says to those who do not see it."""
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        for alt, target in re.findall(r"!\[([^\]]*)\]\(([^)]+\.svg)\)", page.read_text("utf-8")):
            yield page.parent / target, alt


def edges(numbers: Numbers) -> Iterator[tuple[str, str, int, float]]:
    for label, curves in numbers.items():
        for name, values in curves.items():
            yield from ((label, name, layer, value) for layer, value in enumerate(values))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_picture_was_drawn_from_other_numbers(picture: Picture) -> None:
    """``make pictures`` draws them anew."""
    found = carried((FOLDER / f"{picture.name}.svg").read_bytes())
    for label, name, layer, value in edges(theory(picture)):
        assert found[label][name][layer] == pytest.approx(value, abs=_NEAR), (label, name, layer)


def test_picture_is_shown_nowhere_or_is_not_there() -> None:
    drawn = {FOLDER / f"{picture.name}.svg" for picture in PICTURES}
    assert {path for path, _ in shown()} == drawn == set(FOLDER.glob("*.svg"))


def test_picture_is_undescribed() -> None:
    for path, alt in shown():
        assert len(alt.split()) > 8, path


def test_picture_is_large_or_dated() -> None:
    for path in FOLDER.glob("*.svg"):
        text = path.read_text("utf-8")
        assert len(text.encode()) < 60_000, path
        assert "<dc:date>" not in text, path


def test_measured_point_is_far_from_its_line() -> None:
    """A line that says nothing of networks would be drawn all the same."""
    (relu,) = (picture for picture in PICTURES if picture.name == "relu")
    for curves in carried((FOLDER / f"{relu.name}.svg").read_bytes()).values():
        for panel in ("ln_q", "ln_gradient"):
            rows = (curves[f"{panel}{edge}"] for edge in ("_low", "_measured", "_high"))
            assert all(low < point < high for low, point, high in zip(*rows, strict=True))


def test_same_numbers_give_other_bytes() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: make test-full")
    from tools.pictures.drawing import drawn

    flat = {"_low": -1.0, "": 0.0, "_high": 1.0, "_measured": 0.5}
    curves: dict[str, Any] = {
        f"{panel}{edge}": [value] * 5
        for panel in ("ln_q", "ln_gradient")
        for edge, value in flat.items()
    }
    picture = PICTURES[0]
    numbers = {line.label: curves for line in picture.lines}
    once = drawn(picture, numbers)
    assert once == drawn(picture, numbers)
    assert carried(once) == numbers
