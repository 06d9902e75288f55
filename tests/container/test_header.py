"""Files, compared with the official safetensors reader and writer."""

import json
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save

import service
from tests.support import ROOT, file_of, recipe_of, tensor


def header_text(body: bytes) -> bytes:
    (length,) = struct.unpack("<Q", body[:8])
    return body[8 : 8 + length]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples/recipes").glob("*.json")), ids=lambda p: p.stem
)
def test_official_reader_refuses_an_example(path: Path, tmp_path: Path) -> None:
    recipe = service.parse(path.read_bytes())
    plan = service.save_file(recipe, tmp_path / "m.safetensors")
    with safetensors.safe_open(tmp_path / "m.safetensors", "np") as file:
        assert sorted(file.keys()) == sorted(t.name for t in plan.tensors)
        constants = {f"tensorseed.{name}": repr(value) for name, value in plan.forward.items()}
        assert file.metadata() == (recipe.metadata | constants or None)
        for planned in plan.tensors:
            view = file.get_slice(planned.name)
            assert tuple(view.get_shape()) == planned.shape
            assert view.get_dtype() == planned.dtype.name


def test_official_reader_reads_other_values(tmp_path: Path) -> None:
    recipe = recipe_of(
        tensor(shape=[3, 4], name="é"),
        tensor(shape=[5], name="h", dtype="F16"),
        tensor(shape=[5], name="b", dtype="BF16"),
        tensor(shape=[3], name="d", dtype="F64"),
        tensor("ones", [], "n", dtype="I64"),
        tensor("zeros", [0, 2], "empty"),
        metadata={"format": "pt", "a": "é\n"},
    )
    service.save_file(recipe, tmp_path / "m.safetensors")
    theirs = load_file(tmp_path / "m.safetensors")
    ours = service.generate(recipe)
    assert set(theirs) == set(ours)
    for name, array in ours.items():
        assert theirs[name].shape == array.shape
        assert theirs[name].tobytes() == array.tobytes()


def test_order_differs_from_the_official_writers() -> None:
    """With at most one metadata key, the official header is deterministic, and equals ours."""
    recipe = recipe_of(
        tensor(shape=[2], name="b"),
        tensor(shape=[2], name="a"),
        tensor(shape=[3], name="z", dtype="F64"),
        tensor(shape=[3], name="A", dtype="F16"),
        tensor("zeros", [], "n", dtype="I64"),
        metadata={"format": "np"},
    )
    assert save(service.generate(recipe), {"format": "np"}) == file_of(recipe)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=6),
            st.sampled_from(["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"]),
            st.lists(st.integers(0, 3), max_size=3),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda entry: entry[0],
    ),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_official_parser_disagrees_on_a_header(
    entries: list[tuple[str, str, list[int]]], metadata: dict[str, str]
) -> None:
    metadata = {k: v for k, v in metadata.items() if not k.startswith("tensorseed.")}
    tensors = [tensor("ones", shape, name, dtype=dtype) for name, dtype, shape in entries]
    body = file_of(recipe_of(*tensors, metadata=metadata))
    read = dict(safetensors.deserialize(body))
    assert {(n, d, tuple(s)) for n, d, s in entries} == {
        (name, view["dtype"], tuple(view["shape"])) for name, view in read.items()
    }
    document = json.loads(header_text(body))
    assert document.pop("__metadata__", {}) == metadata


def test_header_is_not_canonical() -> None:
    recipe = recipe_of(tensor(shape=[1], name="é/\x7f"[:2]), metadata={"b": "\x1f", "a": '"\\'})
    text = header_text(file_of(recipe))
    assert text.rstrip(b" ").decode() == (
        '{"__metadata__":{"a":"\\"\\\\","b":"\\u001f"},'
        '"é/":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    )
    assert (8 + len(text)) % 8 == 0


def test_tensors_are_not_aligned() -> None:
    recipe = recipe_of(
        *(
            tensor(shape=[3], name=f"{i}{d}", dtype=d)
            for i in range(3)
            for d in ("F8_E5M2", "F16", "F64")
        )
    )
    document: dict[str, Any] = json.loads(header_text(file_of(recipe)))
    sizes = {"F8_E5M2": 1, "F16": 2, "F64": 8}
    for entry in document.values():
        assert entry["data_offsets"][0] % sizes[entry["dtype"]] == 0


def test_bf16_file_is_not_the_cast_of_the_f32_file(tmp_path: Path) -> None:
    small = {"name": "w", "shape": [4096], "init": "ones"}
    assert np.frombuffer(file_of(recipe_of(small))[-4096 * 4 :], "<f4").tolist() == [1.0] * 4096
    wide = service.generate(recipe_of(tensor(shape=[1 << 16])))["w"]
    narrow = service.generate(recipe_of(tensor(shape=[1 << 16], dtype="BF16")))["w"]
    assert (wide.astype(ml_dtypes.bfloat16).view(np.uint16) == narrow).all()
