"""A file is the same however it is split, and equals what the oracle computes per element."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import service
from service.backends import KERNELS, Backend
from service.numerics.cast import DTYPES
from tests import oracle
from tests.support import ROOT, bytes_of, data_of, file_of, plan_of, recipe_of, tensor

FLOATS = [name for name in DTYPES if name != "I64"]
RECIPE = recipe_of(
    tensor(shape=[5, 7], name="a", dtype="F64"),
    tensor("kaiming", [3, 4, 2], "b"),
    tensor("zeros", [0], "empty"),
    tensor({"scheme": "truncated_normal", "std": 1}, [11], "c", dtype="BF16"),
    tensor({"scheme": "uniform", "low": 0, "high": 1}, [13], "d", dtype="F8_E4M3"),
    tensor("ones", [], "scalar"),
    tensor("dirac", [4, 4, 3], "e", dtype="F16"),
    tensor(shape=[9, 9], name="f", slice=[[2, 7], [3, 5]]),
)
WHOLE = file_of(RECIPE)
PLAN = plan_of(RECIPE)


@pytest.mark.parametrize("backend", KERNELS.values(), ids=lambda backend: backend.name)
@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)))
def test_span_is_not_the_wholes(backend: Backend, a: int, b: int) -> None:
    start, stop = sorted((a, b))
    assert bytes_of(PLAN, (start, stop), backend) == WHOLE[start:stop]


@given(st.permutations(range(8)))
def test_order_in_the_recipe_reaches_the_bytes(order: list[int]) -> None:
    assert file_of({**RECIPE, "tensors": [RECIPE["tensors"][i] for i in order]}) == WHOLE


@st.composite
def blocks(draw: Any) -> tuple[list[int], list[Any]]:
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    cuts = []
    for size in shape:
        start = draw(st.integers(0, size))
        stop = draw(st.integers(start, size))
        cuts.append(draw(st.sampled_from([None, [start, stop]])))
    return shape, cuts


@given(blocks(), st.sampled_from(FLOATS), st.booleans())
def test_slice_is_not_the_block_of_the_whole(
    block: tuple[list[int], list[Any]], dtype: str, cut_into_parts: bool
) -> None:
    shape, cuts = block
    members: dict[str, Any] = {"dtype": dtype}
    if cut_into_parts:
        half = shape[-1] // 2
        parts = [{"size": half, "init": "ones"}, {"size": shape[-1] - half}]
        members["parts"] = {"axis": len(shape) - 1, "of": parts}
    storage = DTYPES[dtype].storage
    whole = np.frombuffer(data_of(recipe_of(tensor(shape=shape, **members))), storage)
    index = tuple(slice(None) if cut is None else slice(*cut) for cut in cuts)
    expected = whole.reshape(shape)[index]
    sliced = data_of(recipe_of(tensor(shape=shape, slice=cuts, **members)))
    assert sliced == expected.tobytes()


@pytest.mark.parametrize("cut", [[[700, 900], [0, 3000]], [[5, 800], [17, 2990]], [None, [0, 5]]])
def test_large_slice_is_not_the_block_of_the_whole(cut: list[Any]) -> None:
    shape = [900, 3000]
    whole = np.frombuffer(data_of(recipe_of(tensor(shape=shape))), "<f4").reshape(shape)
    index = tuple(slice(None) if c is None else slice(*c) for c in cut)
    assert data_of(recipe_of(tensor(shape=shape, slice=cut))) == whole[index].tobytes()


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F8_E4M3", "F8_E5M2"])
def test_narrow_file_is_not_the_cast_of_the_f32_file(dtype: str) -> None:
    wide = np.frombuffer(data_of(recipe_of(tensor(shape=[1 << 18]))), "<f4").astype(np.float64)
    narrow = data_of(recipe_of(tensor(shape=[1 << 18]), dtype=dtype))
    assert np.asarray(DTYPES[dtype].cast(np, wide)).tobytes() == narrow


LAWS = st.one_of(
    st.builds(lambda m, s: ("normal", m, s), st.floats(-2, 2), st.floats(0, 3)),
    st.builds(lambda a, w: ("uniform", a, a + w), st.floats(-2, 2), st.floats(1e-3, 3)),
    st.builds(lambda c: ("constant", c), st.floats(-300, 300)),
)


@given(
    st.integers(0, 2**64 - 1),
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=9),
    st.integers(0, 2**63 - 2**32 - 1),
    LAWS,
    st.sampled_from(FLOATS),
)
def test_elements_differ_from_the_oracle(
    seed: int, name: str, first: int, law: tuple[str, float, float], dtype: str
) -> None:
    inits: dict[str, Any] = {
        "normal": lambda m, s: {"scheme": "normal", "mean": m, "std": s},
        "uniform": lambda a, b: {"scheme": "uniform", "low": a, "high": b},
        "constant": lambda c: {"scheme": "constant", "value": c},
    }
    # An axis cannot be that long, so the element's index is split over two axes.
    rows, columns = 2**31 - 1, 2**32
    row, column = divmod(first, columns)
    stop = min(column + 6, columns)
    init = inits[law[0]](*law[1:])
    cut = [[row, row + 1], [column, stop]]
    ours = data_of(
        recipe_of(tensor(init, [rows, columns], name, dtype=dtype, slice=cut), seed=seed)
    )
    indices = range(first, first + stop - column)
    assert ours == oracle.elements(seed, name, indices, law, dtype)


@given(st.floats(-3, 2), st.floats(0.1, 3), st.sampled_from(["sigma", "absolute"]))
def test_truncation_differs_from_the_oracle(low: float, width: float, unit: Any) -> None:
    scale, shift = (1.0, 0.0) if unit == "sigma" else (0.5, 0.25)
    bounds = (shift + scale * low, shift + scale * (low + width))
    first, last = oracle.bracket(0.25, 0.5, bounds[0], bounds[1], unit)
    init = {
        "scheme": "truncated_normal",
        "std": 0.5,
        "mean": 0.25,
        "bounds": bounds,
        "bounds_in": unit,
    }
    (planned,) = plan_of(recipe_of(tensor(init))).tensors
    law = planned.source.regions[0].law
    assert law.parameters == (0.25, 0.5, first, last)
    expected = oracle.elements(
        0, "w", range(7), ("truncated_normal", 0.25, 0.5, first, last), "F32"
    )
    assert data_of(recipe_of(tensor(init))) == expected


def test_file_or_digest_differ_from_the_oracle() -> None:
    tensors: Any = [
        ("é", "F32", [2, 3], ("normal", 0.0, 0.02)),
        ("a", "BF16", [5], ("uniform", -1.0, 1.0)),
        ('q"\\', "F64", [], ("constant", 1.0)),
        ("e", "F8_E5M2", [0], ("constant", 0.0)),
    ]
    metadata = {"é": "\n\x01", "a": "\x7f\u2028"}
    ours = plan_of(
        recipe_of(
            tensor({"scheme": "normal", "std": 0.02}, [2, 3], "é"),
            tensor({"scheme": "uniform", "low": -1, "high": 1}, [5], "a", dtype="BF16"),
            tensor("ones", [], 'q"\\', dtype="F64"),
            tensor("zeros", [0], "e", dtype="F8_E5M2"),
            metadata=metadata,
        )
    )
    assert bytes_of(ours) == oracle.file(0, tensors, metadata)
    assert ours.digest == oracle.plan_digest(0, tensors, metadata)


def test_gpt2_example_has_other_tensors_or_stds() -> None:
    """148 tensors; each std is within 5 sigma of its sampling error."""
    arrays = service.generate((ROOT / "examples/recipes/gpt2-small.json").read_bytes())
    assert len(arrays) == 148
    for name, array in arrays.items():
        values = array.astype(np.float64)
        if name.endswith(".bias"):
            assert not values.any()
        elif ".ln_" in name:
            assert (values == 1).all()
        else:
            std = 0.02 / math.sqrt(24) if name.endswith("c_proj.weight") else 0.02
            assert abs(values.std() / std - 1) < 5 / math.sqrt(2 * values.size), name
            assert abs(values.mean()) < 5 * std / math.sqrt(values.size), name
