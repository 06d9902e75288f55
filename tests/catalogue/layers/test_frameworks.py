"""Names, shapes and default inits against the frameworks themselves."""

from typing import Any

import numpy as np
import pytest

from service.catalogue.layers import LAYERS
from tests.catalogue.layers.cases import CASES
from tests.catalogue.layers.frameworks import FRAMEWORKS
from tests.catalogue.layers.support import arrays_of, layer_recipe, rows_of

EACH = [
    (convention, name)
    for name, case in CASES.items()
    for convention, made in (("pytorch", case.torch), ("keras", case.keras), ("flax", case.flax))
    if made is not None
]


def test_type_is_compared_with_no_framework() -> None:
    assert {case.layer["type"] for case in CASES.values()} == set(LAYERS)


@pytest.mark.parametrize(("convention", "name"), EACH)
def test_framework_starts_otherwise(convention: str, name: str) -> None:
    recipe = layer_recipe(CASES[name].layer, convention=convention)
    theirs, ours, rows = FRAMEWORKS[convention](CASES[name]), arrays_of(recipe), rows_of(recipe)
    assert {k: (w.shape, w.dtype) for k, w in theirs.items()} == {
        k: (w.shape, w.dtype) for k, w in ours.items()
    }
    for key, row in rows.items():
        if row["low"] == row["high"] or row["distribution"] == "window":
            assert np.array_equal(theirs[key], ours[key]), key
            continue
        for sample in (theirs[key], ours[key]):
            _require_law(sample.astype(float).ravel(), row)


def _require_law(sample: np.ndarray[tuple[int], np.dtype[np.float64]], row: dict[str, Any]) -> None:
    """Check the moments, within five standard errors, and the bounds of a sample."""
    name, error = row["name"], 5 * row["std"] / np.sqrt(sample.size)
    assert abs(sample.mean() - row["mean"]) < error, name
    assert abs(sample.std() - row["std"]) < error / np.sqrt(2), name
    if row["distribution"] == "uniform":
        assert abs(sample).max() <= row["high"] * (1 + 1e-6), name
        assert abs(sample).max() > row["high"] * (1 - 10 / sample.size), name


@pytest.mark.parametrize("convention", ["keras", "flax"])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_recurrent_kernel_is_not_orthogonal_as_theirs(convention: str, name: str) -> None:
    recipe = layer_recipe(CASES[name].layer, convention=convention)
    for arrays in (FRAMEWORKS[convention](CASES[name]), arrays_of(recipe)):
        for key, kernel in arrays.items():
            if key.endswith("recurrent_kernel") or (key[0] == "h" and key.endswith("kernel")):
                assert np.allclose(kernel @ kernel.T, np.eye(24), atol=1e-5), key
