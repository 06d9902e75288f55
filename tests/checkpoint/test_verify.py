"""Verification: what it accepts, and the first difference that it reports."""

import json
import struct
from pathlib import Path

import pytest

import service
from tests.support import file_of, plan_of, recipe_of, tensor

RECIPE = recipe_of(tensor(shape=[1000], name="a"), tensor(shape=[20, 30], name="b", dtype="BF16"))
BODY = file_of(RECIPE)
PLAN = plan_of(RECIPE)


def verdict_on(body: bytes, path: Path) -> service.Verdict:
    path.write_bytes(body)
    return service.verify(PLAN, path)


def with_header(document: object, data: bytes = b"") -> bytes:
    text = json.dumps(document).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_the_recipes_own_file_is_refused(tmp_path: Path) -> None:
    verdict = verdict_on(BODY, tmp_path / "f")
    assert verdict.matches
    assert verdict.identical


@pytest.mark.parametrize(
    ("offset", "said"),
    [
        (4, "first difference is in a, at element 1"),
        (4001, "first difference is in b, at element 0"),
        (4003, "first difference is in b, at element 1"),
    ],
)
def test_changed_element_is_missed_or_misplaced(offset: int, said: str, tmp_path: Path) -> None:
    body = bytearray(BODY)
    body[len(PLAN.header) + offset] ^= 1
    verdict = verdict_on(bytes(body), tmp_path / "f")
    assert not verdict.matches
    assert said in verdict.detail


def test_truncated_file_is_accepted(tmp_path: Path) -> None:
    verdict = verdict_on(BODY[:-1], tmp_path / "f")
    assert not verdict.matches
    assert "lists 5200 bytes of tensors; the file has 5199" in verdict.detail


def test_trailing_bytes_are_accepted(tmp_path: Path) -> None:
    assert not verdict_on(BODY + b"\0", tmp_path / "f").matches


def test_same_tensors_in_another_order_are_refused(tmp_path: Path) -> None:
    data = BODY[len(PLAN.header) :]
    document = {
        "b": {"dtype": "BF16", "shape": [20, 30], "data_offsets": [0, 1200]},
        "a": {"dtype": "F32", "shape": [1000], "data_offsets": [1200, 5200]},
    }
    verdict = verdict_on(with_header(document, data[4000:] + data[:4000]), tmp_path / "f")
    assert verdict.matches
    assert not verdict.identical


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"a": None}, "a is not in the file"),
        ({"c": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}}, "c is in the file and not"),
        ({"a": {"dtype": "F64", "shape": [1000], "data_offsets": [0, 8000]}}, "a is F64, not F32"),
        ({"a": {"dtype": "F32", "shape": [10], "data_offsets": [0, 40]}}, "a is [10], not [1000]"),
        ({"a": {"dtype": "F32", "shape": [1e3], "data_offsets": [0, 4000]}}, "a is [1000.0], not"),
        ({"a": {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4004]}}, "a has 4004 bytes"),
        (
            {"a": {"dtype": "F32", "shape": [1000], "data_offsets": [2**63, 2**63 + 4000]}},
            "a gap",
        ),
        (
            {"a": {"dtype": "F32", "shape": [1000], "data_offsets": [8, 4008]}},
            "an overlap at byte 0",
        ),
    ],
)
def test_other_header_is_accepted(change: dict[str, object], said: str, tmp_path: Path) -> None:
    (length,) = struct.unpack("<Q", BODY[:8])
    document = json.loads(BODY[8 : 8 + length]) | change
    document = {name: entry for name, entry in document.items() if entry is not None}
    verdict = verdict_on(with_header(document, BODY[8 + length :]), tmp_path / "f")
    assert not verdict.matches
    assert said in verdict.detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x02",
        b"\xff" * 64,
        struct.pack("<Q", 100) + b"{}",
        with_header([1]),
        with_header({"a": 1}),
        with_header({"a": {"data_offsets": []}}),
        with_header({"a": {"data_offsets": ["0", "4"]}}),
        with_header({"a": {"data_offsets": [-1, 4]}}),
        with_header({"a": {"data_offsets": [1e999, 4]}}),
    ],
    ids=range(10),
)
def test_file_of_another_kind_breaks_it(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(service.UnreadableFile):
        verdict_on(body, tmp_path / "f")
