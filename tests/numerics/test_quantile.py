"""The integer normal: its table, its shape, its error."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from service.numerics.quantile import (
    REACH,
    TABLE_SHA256,
    first_word,
    quantile,
    table_bytes,
    variate,
)
from tests.support import ROOT

WORDS = 2**32
SAMPLE = np.linspace(0, WORDS - 1, 2**20).astype(np.uint64)


def segment_edges() -> np.ndarray:
    """Both sides of every place where another row of the table begins."""
    octaves = 1 << np.arange(31, dtype=np.uint64)
    starts = (octaves[:, None] + octaves[:, None] * np.arange(32, dtype=np.uint64) // 32).ravel()
    near = np.unique(np.concatenate([starts // 2 + d for d in (0, 1, 2)]))
    lower = near[near < WORDS // 2]
    return np.unique(np.concatenate([lower, lower - (lower > 0), WORDS - 1 - lower]))


def test_table_is_not_what_its_script_makes() -> None:
    script = ROOT / "tools/quantile_table.py"
    made = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == TABLE_SHA256


def test_damaged_table_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.numerics.quantile.TABLE_SHA256", "0" * 64)
    with pytest.raises(RuntimeError, match="damaged"):
        table_bytes()


@pytest.mark.parametrize("words", [SAMPLE, segment_edges()], ids=["sample", "edges"])
def test_variates_decrease_or_are_not_odd(words: np.ndarray) -> None:
    variates = quantile(np, words)
    assert (np.diff(variates) >= 0).all()
    assert (quantile(np, WORDS - 1 - words) == -variates).all()
    assert np.abs(variates).max() <= REACH


@pytest.mark.parametrize("words", [SAMPLE, segment_edges()], ids=["sample", "edges"])
def test_variates_leave_the_stated_error(words: np.ndarray) -> None:
    lower = words[words < WORDS // 2]
    truth = -ndtri((2.0 * lower + 1) / 2.0**33) * 2.0**28
    error = -quantile(np, lower) - truth
    assert error.min() >= -4.45
    assert error.max() <= 1.71


@given(st.integers(-REACH - 2, REACH + 2))
def test_first_word_is_not_the_first(bound: int) -> None:
    word = first_word(lambda z: z >= bound)
    if word < WORDS:
        assert quantile(np, np.array([word], dtype=np.uint64))[0] >= bound
    if word > 0:
        assert quantile(np, np.array([word - 1], dtype=np.uint64))[0] < bound


def test_variate_of_one_word_is_not_the_arrays() -> None:
    words = np.concatenate([segment_edges(), SAMPLE[::97]])
    assert [variate(word) for word in words.tolist()] == quantile(np, words).tolist()
