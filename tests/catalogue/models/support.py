"""Helpers of the tests of models: fixtures, and measured moments against planned ones."""

import json
import math
from pathlib import Path
from typing import Any

import service

FIXTURES = Path(__file__).parent / "fixtures"
SIGMA = 5.5
"""Tolerance of a moment in standard errors: 3000 tensors, each exceeds it once in 25 million."""

Row = dict[str, Any]


def fixture_of(path: Path) -> dict[str, Any]:
    fixture: dict[str, Any] = json.loads(path.read_text())
    return fixture


def model_recipe(model: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"seed": 1, "model": model, **members}


def rows_of(model: dict[str, Any]) -> dict[str, Row]:
    """Return the row of every tensor in the plan of a model, by name."""
    recipe = service.parse(model_recipe(model))
    return {row["name"]: row for row in service.explain(recipe, service.compile(recipe))["tensors"]}


def agrees(row: Row, mean: float, std: float, rounding: float = 0.0) -> bool:
    """Return whether a sample's moments are those of the planned law, within its errors.

    Args:
        row: The tensor in the plan.
        mean: Mean of the sample.
        std: Standard deviation of the sample.
        rounding: Relative error of both numbers.
    """
    count, expected = math.prod(row["shape"]), float(row["std"])
    error = SIGMA * expected / math.sqrt(count)
    # A sample's std has its own, smaller error, and is on average a little less than the law's.
    off = error / math.sqrt(2) + expected / count
    is_wide = abs(std - expected) > off + rounding * expected
    return not is_wide and abs(mean - row["mean"]) <= error + rounding * abs(row["mean"])
