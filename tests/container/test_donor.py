"""Donors: what a file must have, how values are cast, and that any range has the same bytes."""

import json
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import deserialize
from safetensors.numpy import load, save_file

import service
from service.container.donor import DonorFile, donor_of
from service.limits import Limits
from service.numerics.cast import DTYPES
from tests.support import bytes_of, plan_of, recipe_of, tensor

TYPES: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}


def raw_file(document: Any, data: bytes = b"") -> bytes:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def read(path: Path, **limits: int) -> service.Donor:
    with service.open_donor(path, Limits(**limits)) as donor:
        return donor


def loaded(body: bytes) -> dict[str, np.ndarray]:
    """Return the tensors as the official reader sees them, with the dtypes of ml_dtypes."""
    return {
        name: np.frombuffer(found["data"], TYPES[found["dtype"]]).reshape(found["shape"])
        for name, found in deserialize(body)
    }


def arrays() -> dict[str, np.ndarray]:
    """Return a tensor of each dtype, with special values and a size that is prime."""
    values = np.random.default_rng(5).normal(size=131).astype(np.float32)
    values[:6] = [np.inf, -np.inf, np.nan, -0.0, 1e-40, 3e38]
    with np.errstate(over="ignore"):
        return {name: values.astype(kind).reshape(131, 1) for name, kind in TYPES.items()}


@pytest.fixture(scope="module")
def shallow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("donor") / "shallow.safetensors"
    save_file(arrays(), path)
    return path


def test_file_of_the_official_writer_is_read_otherwise(tmp_path: Path) -> None:
    kinds = {**TYPES, "I64": np.int64, "U8": np.uint8, "BOOL": np.bool_, "C64": np.complex64}
    made = {name: np.zeros((3, 5), dtype=kind) for name, kind in kinds.items()}
    made |= {"scalar": np.ones((), np.float32), "empty": np.zeros((0, 4), np.float16)}
    save_file(made, tmp_path / "f", {"format": "pt"})
    found = read(tmp_path / "f")
    assert {name: held.shape for name, held in found.items()} == {
        name: array.shape for name, array in made.items()
    }
    assert all(found[name].dtype == name for name in kinds)


@pytest.mark.parametrize("wanted", TYPES)
def test_cast_differs_from_ml_dtypes(wanted: str, shallow: Path) -> None:
    recipe = recipe_of(*(tensor(shape=[131, 1], name=n) for n in TYPES), dtype=wanted)
    with service.open_donor(shallow) as donor:
        plan = service.grown(plan_of(recipe), donor)
        ours = loaded(bytes_of(plan))
    for name, array in arrays().items():
        with np.errstate(over="ignore", invalid="ignore"):
            narrow = wanted not in ("F64", "F32")
            theirs = (array.astype(np.float32) if narrow else array).astype(TYPES[wanted])
        lost = np.isnan(theirs.astype(float))
        assert (np.isnan(ours[name].astype(float)) == lost).all()
        kept = ~lost
        assert ours[name][kept].tobytes() == theirs[kept].tobytes(), (name, wanted)
        if name == wanted:
            assert ours[name].tobytes() == array.tobytes()


@given(st.sampled_from(list(TYPES)), st.data())
def test_span_is_not_the_wholes(shallow: Path, wanted: str, data: Any) -> None:
    tensors = [tensor(shape=[131, 1], name=name) for name in TYPES]
    recipe = recipe_of(*tensors, tensor(shape=[7], name="A"), tensor("ones", [], "z"), dtype=wanted)
    with service.open_donor(shallow) as donor:
        plan = service.grown(plan_of(recipe), donor)
        whole = bytes_of(plan)
        start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
        assert bytes_of(plan, (start, stop)) == whole[start:stop]
    drawn = loaded(bytes_of(plan_of(recipe)))
    assert loaded(whole)["A"].tobytes() == drawn["A"].tobytes()


def test_large_tensor_is_cast_at_a_wrong_place(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(1000, 333)).astype(np.float64)
    save_file({"w": values}, tmp_path / "f")
    with service.open_donor(tmp_path / "f") as donor:
        plan = service.grown(plan_of(recipe_of(tensor(shape=[1000, 333]))), donor)
        made = load(b"".join(service.stream(plan)))["w"]
    assert (made == values.astype(np.float32)).all()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no safetensors header"),
        (b"\xff" * 64, "its length, 18446744073709551615, is not 2 to"),
        (struct.pack("<Q", 100) + b"{}", "not one JSON object"),
        (raw_file(b"[" * 100_000), "not one JSON object"),
        (raw_file([1]), "not one JSON object"),
        (raw_file({"a": 1}), "not one JSON object"),
        (raw_file({"a": {}}), "not one JSON object"),
        (raw_file({"a": entry(offsets=[-8, 0])}), "data_offsets are not two integers in order"),
        (raw_file({"a": entry(offsets=[8, 0])}), "data_offsets are not two integers in order"),
        (raw_file({"a": entry(offsets=[0, True])}), "data_offsets are not two integers in order"),
        (raw_file({"a": entry(offsets=[0, 8.0])}), "data_offsets are not two integers in order"),
        (raw_file({"a": entry()}), "lists 8 bytes of tensors; the file has 0"),
        (raw_file({"a": entry()}, bytes(9)), "lists 8 bytes of tensors; the file has 9"),
        (raw_file({"a": entry(offsets=[4, 12])}, bytes(12)), "a gap or an overlap at byte 0"),
        (raw_file({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12)), "an overlap at byte 4"),
        (raw_file({"a": entry(), "b": entry()}, bytes(8)), "an overlap at byte 0"),
        (raw_file({"a": entry(offsets=[2**70, 2**70 + 8])}, bytes(8)), "a gap or an overlap"),
        (raw_file({"a": entry("F31")}, bytes(8)), "'a' has an unknown dtype, 'F31'"),
        (raw_file({"a": entry(["F32"])}, bytes(8)), "'a' has an unknown dtype, not a string"),
        (raw_file({"a": {"data_offsets": [0, 8], "shape": [2]}}, bytes(8)), "dtype"),
        (
            raw_file({"a": entry(shape=[3])}, bytes(8)),
            "has 8 bytes, not the size of F32 with shape [3]",
        ),
        (raw_file({"a": entry("F4", [3])}, bytes(8)), "has 8 bytes, not the size of F4"),
        (raw_file({"a": entry(shape=[2.0])}, bytes(8)), "an invalid shape"),
        (raw_file({"a": entry(shape=[True, 2])}, bytes(8)), "an invalid shape"),
        (raw_file({"a": entry(shape=[-1, -2])}, bytes(8)), "an invalid shape"),
        (raw_file({"a": entry(shape=[2] * 100)}, bytes(8)), "an invalid shape"),
        (raw_file({"a": entry(shape=[2**62] * 60)}, bytes(8)), "an invalid shape"),
        (raw_file({"a": entry(shape="ab")}, bytes(8)), "an invalid shape"),
        (raw_file({"a": entry(shape=None)}, bytes(8)), "an invalid shape"),
        (raw_file({"\ud800": entry()}, bytes(8)), "an unpaired surrogate"),
        (raw_file({"\x1b[31m": entry("?")}, bytes(8)), r"'\x1b[31m' has"),
    ],
    ids=range(31),
)
def test_hostile_header_is_believed(body: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(body)
    with pytest.raises(service.UnreadableFile) as caught:
        read(tmp_path / "f")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


def test_limits_are_ignored(tmp_path: Path) -> None:
    save_file({f"w{i}": np.zeros(1, np.float32) for i in range(9)}, tmp_path / "f")
    for limits in ({"max_tensors": 8}, {"max_header_bytes": 100}):
        with pytest.raises(service.UnreadableFile, match=r"max_tensors|2 to 100 bytes"):
            read(tmp_path / "f", **limits)


def test_file_that_is_cut_meanwhile_gives_other_bytes(tmp_path: Path) -> None:
    save_file({"w": np.ones(7, np.float32)}, tmp_path / "f")
    with service.open_donor(tmp_path / "f") as donor:
        plan = service.grown(plan_of(recipe_of(tensor())), donor)
        with (tmp_path / "f").open("r+b") as file:
            file.truncate(file.seek(0, 2) - 1)
        with pytest.raises(service.UnreadableFile, match="was truncated"):
            bytes_of(plan)
        with pytest.raises(service.UnreadableFile, match="was truncated"):
            _ = plan.digest


def test_closed_donor_is_read(tmp_path: Path) -> None:
    save_file({"w": np.ones(7, np.float32)}, tmp_path / "f")
    file = DonorFile((tmp_path / "f").open("rb", buffering=0))
    plan = service.grown(plan_of(recipe_of(tensor())), donor_of(file))
    file.close()
    with pytest.raises(ValueError, match="closed"):
        bytes_of(plan)


def test_bytes_that_are_appended_get_lost(tmp_path: Path) -> None:
    file = DonorFile((tmp_path / "f").open("w+b", buffering=0))
    for size in (0, 1, 1 << 20):
        file.append(bytes([size % 251]) * size)
    file.close()
    assert (tmp_path / "f").stat().st_size == 1 + (1 << 20)


def test_every_dtype_of_recipes_can_be_given() -> None:
    assert set(TYPES) | {"I64"} == set(DTYPES)
