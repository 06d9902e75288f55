"""Grown plans: which tensors are copied, and what the digest and the explanation report."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save_file

import service
from service.checkpoint.files import Cut, Part, checkpoint
from service.limits import Limits
from tests.support import bytes_of, plan_of, recipe_of, tensor

ORTHOGONAL = tensor("orthogonal", [300, 300], "slow")
ONES = np.ones((3, 4), np.float32)


@contextmanager
def grown(recipe: Any, folder: Path, **arrays: Any) -> Iterator[service.Plan]:
    save_file(arrays, folder / "donor")
    with service.open_donor(folder / "donor") as donor:
        yield service.grown(plan_of(recipe), donor)


def refusal_of(recipe: Any, folder: Path, **arrays: Any) -> str:
    with pytest.raises(service.InvalidRecipe) as caught, grown(recipe, folder, **arrays):
        pass
    return str(caught.value)


def explained(recipe: Any, plan: service.Plan) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(service.explain(service.parse(recipe), plan)))
    return body


@pytest.mark.parametrize(
    ("one", "array", "why"),
    [
        (tensor(shape=[3, 4]), np.ones((4, 3), np.float32), "its shape is [4, 3], the recipe's [3"),
        (tensor(shape=[12]), ONES, "its shape is [3, 4], the recipe's [12]"),
        (tensor(shape=[3, 4], slice=[[0, 2], None]), ONES, "slices are always generated"),
        (
            tensor(shape=[3, 4]),
            ONES.astype(np.int64),
            "it is I64, which cannot be cast to the recipe",
        ),
        (tensor(shape=[3, 4]), ONES.astype(np.uint8), "it is U8, which cannot be cast"),
        (tensor(shape=[3, 4]), ONES.astype(np.bool_), "it is BOOL, which cannot be cast"),
        (tensor("ones", shape=[3, 4], dtype="I64"), ONES, "it is F32, which cannot be cast to the"),
        (tensor("ones", [3, 4], dtype="I64"), ONES.astype(np.int32), "it is I32, which cannot be"),
        (tensor(shape=[3, 4], name="W"), ONES, "the recipe has no tensor of this name"),
    ],
    ids=range(9),
)
def test_tensor_that_does_not_agree_is_copied(
    one: Any, array: np.ndarray, why: str, tmp_path: Path
) -> None:
    recipe = recipe_of(one, tensor(name="same", shape=[2]))
    with grown(recipe, tmp_path, w=array, same=np.zeros(2, np.float32)) as plan:
        grown_arrays, drawn = load(bytes_of(plan)), load(bytes_of(plan_of(recipe)))
        assert grown_arrays[one["name"]].tobytes() == drawn[one["name"]].tobytes()
        assert not grown_arrays["same"].any()
        assert plan.unused is not None
        assert why in plan.unused["w"]
    assert refusal_of(recipe_of(one), tmp_path, w=array).startswith("/: no tensor of the donor can")


def test_slice_of_all_is_generated(tmp_path: Path) -> None:
    recipe = recipe_of(tensor(shape=[3, 4], slice=[[0, 3], [0, 4]]))
    with grown(recipe, tmp_path, w=ONES) as plan:
        assert (load(bytes_of(plan))["w"] == 1).all()


def test_integers_are_not_copied_as_they_are(tmp_path: Path) -> None:
    counts = np.array([2**62, -1, 0], dtype=np.int64)
    with grown(recipe_of(tensor("zeros", [3], dtype="I64")), tmp_path, w=counts) as plan:
        assert load(bytes_of(plan))["w"].tolist() == counts.tolist()


def test_header_or_place_changes(tmp_path: Path) -> None:
    recipe = recipe_of(tensor(shape=[3, 4]), tensor(shape=[5], name="b", dtype="F64"))
    with grown(recipe, tmp_path, w=ONES.astype(np.float16)) as plan:
        assert plan.header == plan_of(recipe).header
        assert plan.nbytes == plan_of(recipe).nbytes


def test_digest_does_not_tell_the_bytes(tmp_path: Path) -> None:
    recipe = recipe_of(tensor(shape=[3, 4]), tensor(name="b"))
    digests = {plan_of(recipe).digest}
    other = ONES.copy()
    other[2, 3] = np.nextafter(other[2, 3], 2, dtype=np.float32)
    same = {}
    for array in (ONES, other, ONES.astype(np.float64)):
        with grown(recipe, tmp_path, w=array) as plan:
            digests.add(plan.digest)
            sha256 = hashlib.sha256(array.tobytes()).hexdigest()
            kind = {"f4": "F32", "f8": "F64"}[array.dtype.str[1:]]
            assert plan.tensors[1].source.identity == f"donor {kind} {sha256}\n"
        # The tensor's position in the donor and the donor's other tensors do not matter.
        with grown(recipe, tmp_path, w=array, a=np.zeros(3, np.float32)) as moved:
            same[plan.digest] = moved.digest
    assert len(digests) == 4
    assert all(mine == moved for mine, moved in same.items())


def test_parts_of_a_grown_file_are_generated(tmp_path: Path) -> None:
    tensors = [tensor(shape=[3, 4], name=f"w{i}") for i in range(6)]
    arrays = {f"w{i}": ONES * i for i in range(1, 6)}
    recipe = recipe_of(*tensors)
    with grown(recipe, tmp_path, **arrays) as plan:
        whole = load(bytes_of(plan))
        parts = [Part(rank=rank, world=3).of(plan, Limits()) for rank in range(3)]
        cut = Cut.model_validate({"shard_size": 100})
        shards = checkpoint(service.parse(recipe), plan, cut, Limits()).shards
        for files in (parts, [shard.plan for shard in shards]):
            found: dict[str, Any] = {}
            for part in files:
                found |= load(bytes_of(part))
            assert {n: a.tobytes() for n, a in found.items()} == {
                n: a.tobytes() for n, a in whole.items()
            }


def test_copied_tensor_makes_a_plan_slow(tmp_path: Path) -> None:
    recipe = recipe_of(ORTHOGONAL)
    assert plan_of(recipe).is_slow
    with grown(recipe, tmp_path, slow=np.ones((300, 300), np.float32)) as plan:
        assert not plan.is_slow


def test_plan_hides_what_is_copied(tmp_path: Path) -> None:
    recipe = recipe_of(tensor("kaiming", [3, 4]), tensor("kaiming", [4, 4], name="v"))
    assert explained(recipe, plan_of(recipe))["donor"] is None
    with grown(recipe, tmp_path, w=ONES.astype(np.float64), x=ONES, v=ONES) as plan:
        body = explained(recipe, plan)
    assert body["donor"] == {
        "tensors_copied": 1,
        "bytes_copied": 48,
        "copied": ["w"],
        "tensors_unused": 2,
        "unused": [
            {"name": "v", "why": "its shape is [3, 4], the recipe's [4, 4]"},
            {"name": "x", "why": "the recipe has no tensor of this name"},
        ],
    }
    rows = {row["name"]: row for row in body["tensors"]}
    assert (rows["w"]["scheme"], rows["w"]["donor_dtype"]) == ("donor", "F64")
    assert rows["w"]["mean"] is rows["w"]["std"] is rows["w"]["forward_gain"] is None
    assert set(rows["v"]) | {"donor_dtype"} == set(rows["w"])
    assert rows["v"]["scheme"] == "kaiming"
    assert body["chain"]["layers"] == 1
    assert body["etag"] == plan.etag


def test_lists_of_the_plan_grow_without_bound(tmp_path: Path) -> None:
    recipe = recipe_of(*(tensor(shape=[1], name=f"w{i}") for i in range(150)))
    arrays = {f"w{i}": np.ones(1, np.float32) for i in range(150)}
    arrays |= {f"{'x' * 1000}{i}": np.ones(1, np.float32) for i in range(150)}
    with grown(recipe, tmp_path, **arrays) as plan:
        donor = explained(recipe, plan)["donor"]
    assert (donor["tensors_copied"], donor["tensors_unused"]) == (150, 150)
    assert len(donor["copied"]) == len(donor["unused"]) == 100
    assert all(len(each["name"]) <= 100 for each in donor["unused"])


def test_refusal_names_every_tensor(tmp_path: Path) -> None:
    message = refusal_of(recipe_of(tensor()), tmp_path, **{f"x{i}": ONES for i in range(9)})
    assert "x0: the recipe has no tensor of this name; x1: " in message
    assert message.endswith("; and 6 more")
    assert "it has no tensors" in refusal_of(recipe_of(tensor()), tmp_path)
