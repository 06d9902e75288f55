"""The numbers of a picture, which its file carries in its description too."""

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from service.analysis import analyse
from service.settings import Settings
from tools.pictures.subjects import MEASURE, Line, Picture

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"

PANELS = {"ln_q": "variance of signals", "ln_gradient": "mean square of gradients"}
"""What the two halves of a picture show."""

_DIGITS = 3
"""Behind the point, of decimal logarithms."""

Numbers = dict[str, dict[str, list[float]]]
"""For each line's label, and for each curve of it, a decimal logarithm a layer."""


def theory(picture: Picture) -> Numbers:
    """Return what theory says of a picture's lines: curves and their bands."""
    return {line.label: _theory(_answer(line, {})) for line in picture.lines}


def measured(picture: Picture) -> Numbers:
    """Return the same, with what was measured."""
    return {line.label: _measured(_answer(line, {"measure": MEASURE})) for line in picture.lines}


def _answer(line: Line, more: dict[str, Any]) -> dict[str, Any]:
    settings = Settings()
    asked = json.dumps(line.question | more).encode()
    curve: dict[str, Any] = analyse(asked, settings, settings.pipeline())["curves"][0]
    return curve


def _theory(curve: dict[str, Any]) -> dict[str, list[float]]:
    names = [f"{panel}{edge}" for panel in PANELS for edge in ("", "_low", "_high")]
    return {name: _rounded(curve["theory"][name]) for name in names}


def _measured(curve: dict[str, Any]) -> dict[str, list[float]]:
    points = {f"{panel}_measured": _rounded(curve["measured"][panel]) for panel in PANELS}
    return _theory(curve) | points


def _rounded(values: list[float]) -> list[float]:
    return [round(value / math.log(10), _DIGITS) + 0.0 for value in values]


def carried(svg: bytes) -> Numbers:
    """Return the numbers that a picture's file was drawn from."""
    found = ET.fromstring(svg).find(".//{http://purl.org/dc/elements/1.1/}description")
    numbers: Numbers = json.loads(found.text or "") if found is not None else {}
    return numbers
