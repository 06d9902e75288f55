"""The test vectors in docs/generator-v1.md, read from the page."""

import re
import struct

import numpy as np
import pytest

import service
from service.numerics.keys import stream_of
from service.numerics.philox import philox4x32, words_of_run
from service.numerics.quantile import TABLE_SHA256, quantile
from tests.support import ROOT, data_of, recipe_of, tensor

PAGE = (ROOT / "docs/generator-v1.md").read_text("utf-8")
SIZES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "F8_E5M2": 1}


def test_streams_or_words_differ_from_the_page() -> None:
    words = "([0-9a-f]{8}(?: [0-9a-f]{8}){3})"
    row = rf"^\| (\S+), `(.+?)`[^|]* \| {words} \| {words} \| (\w{{8}}) \|"
    table = re.findall(row, PAGE, re.MULTILINE)
    assert len(table) == 3
    for seed, name, key, first, far in table:
        stream = stream_of(2**64 - 1 if seed == "2^64-1" else int(seed), name)
        assert stream.hex() == key.replace(" ", "")
        assert words_of_run(np, stream, 0, 4).tolist() == [int(w, 16) for w in first.split()]
        assert words_of_run(np, stream, 10**12, 1).tolist() == [int(far, 16)]


@pytest.mark.parametrize(
    ("line", "dtype", "init"),
    [
        ("0, `w`: normal(0, 0.02), F32", "F32", {"scheme": "normal", "std": 0.02}),
        ("the same, F64", "F64", {"scheme": "normal", "std": 0.02}),
        ("the same, BF16", "BF16", {"scheme": "normal", "std": 0.02}),
        ("the same, F16", "F16", {"scheme": "normal", "std": 0.02}),
        ("the same, F8_E4M3", "F8_E4M3", {"scheme": "normal", "std": 0.02}),
        ("the same, F8_E5M2", "F8_E5M2", {"scheme": "normal", "std": 0.02}),
        (
            "0, `w`: uniform(-0.05, 0.05), F32",
            "F32",
            {"scheme": "uniform", "low": -0.05, "high": 0.05},
        ),
        (
            "0, `w`: truncated +-2 sigma, std 0.02, F32",
            "F32",
            {"scheme": "truncated_normal", "std": 0.02},
        ),
    ],
)
def test_values_differ_from_the_page(line: str, dtype: str, init: dict[str, object]) -> None:
    bits = re.search(rf"^\| {re.escape(line)} \| ([0-9a-f ]+) \|$", PAGE, re.MULTILINE)
    assert bits is not None
    expected = b"".join(bytes.fromhex(word)[::-1] for word in bits[1].split())
    assert data_of(recipe_of(tensor(init, [4], dtype=dtype))) == expected
    assert len(expected) == 4 * SIZES[dtype]


def test_second_stream_differs_from_the_page() -> None:
    bits = struct.pack("<4I", 0xBC0E9666, 0x3C25AF02, 0xBCA7683E, 0x3B59E596)
    assert "bc0e9666 3c25af02 bca7683e 3b59e596" in PAGE
    assert data_of(recipe_of(tensor(shape=[4], name="layers.0.weight"), seed=42)) == bits


def test_philox_or_quantile_differ_from_the_page() -> None:
    zero = np.zeros(1, dtype=np.uint64)
    output = philox4x32((zero, zero, zero, zero), (0, 0))
    assert " ".join(f"{int(word[0]):08x}" for word in output) in PAGE
    heads = re.search(r"^\| h \| (.*) \|$", PAGE, re.MULTILINE)
    values = re.search(r"^\| Q\(h\) \| (.*) \|$", PAGE, re.MULTILINE)
    assert heads is not None
    assert values is not None
    words = np.array([int(word, 16) for word in heads[1].split(" | ")], dtype=np.uint64)
    assert quantile(np, words).tolist() == [int(value) for value in values[1].split(" | ")]
    assert TABLE_SHA256 in PAGE


def test_library_and_page_name_different_generators() -> None:
    assert service.parse(recipe_of(tensor())).generator == "v1"
