"""Common mistakes: each gives a warning with a fix, and nothing else gives one."""

from typing import Any

import pytest

from tests.support import plan_of, recipe_of, tensor

_CUT = {"scheme": "truncated_normal", "std": 0.02, "bounds_in": "absolute"}
_TRAPS: list[tuple[dict[str, Any], str, dict[str, Any] | None]] = [
    (
        tensor("xavier_uniform", (96, 32), name="attn.in_proj_weight"),
        'state "parts"',
        tensor(
            "xavier_uniform",
            (96, 32),
            name="attn.in_proj_weight",
            parts={"axis": 0, "of": [{"size": 32}] * 3},
        ),
    ),
    (
        tensor({"scheme": "kaiming", "mode": "fan_out"}, (96, 32), name="h.0.qkv.weight"),
        'or "fan"',
        tensor(
            {"scheme": "kaiming", "mode": "fan_out"},
            (96, 32),
            name="h.0.qkv.weight",
            fan={"in": 32, "out": 32},
        ),
    ),
    (
        tensor("kaiming", (16, 8, 3, 3), name="deconv1.weight"),
        '"layout": "IOHW"',
        tensor("kaiming", (16, 8, 3, 3), name="deconv1.weight", layout="IOHW"),
    ),
    (
        tensor("kaiming", (16, 8, 3), name="up.conv_transpose.weight"),
        '"layout": "IOW"',
        tensor("kaiming", (16, 8, 3), name="up.conv_transpose.weight", layout="IOW"),
    ),
    (
        tensor({**_CUT, "bounds": [-2, 2]}, (5, 5)),
        '"bounds_in": "sigma"',
        tensor({**_CUT, "bounds": [-0.04, 0.04]}, (5, 5)),
    ),
    (
        tensor("he_normal", (3, 3, 8, 8), name="conv/kernel", layout="HWIO"),
        '"kaiming_truncated_normal"',
        tensor("he_truncated_normal", (3, 3, 8, 8), name="conv/kernel", layout="HWIO"),
    ),
    (
        tensor("glorot_normal", (8, 8), name="dense/kernel", layout="IO"),
        '"xavier_truncated_normal"',
        tensor("glorot_uniform", (8, 8), name="dense/kernel", layout="IO"),
    ),
    (
        tensor("xavier", (8,), layout="O"),
        '"fan": {"in": ..., "out": ...}',
        tensor("xavier", (8,), fan={"in": 8, "out": 8}),
    ),
    (
        tensor("kaiming", (10, 8), name="classifier.weight"),
        "lecun or xavier",
        tensor("lecun", (10, 8), name="classifier.weight"),
    ),
    (
        tensor({"scheme": "xavier", "gain": "relu"}, (10, 8), name="lm_head.weight"),
        "no ReLU follows",
        tensor({"scheme": "xavier", "gain": "tanh"}, (10, 8), name="lm_head.weight"),
    ),
    (
        tensor({"scheme": "normal", "std": 1e-6}, (9,), dtype="F16"),
        "smallest normal value",
        tensor({"scheme": "normal", "std": 1e-3}, (9,), dtype="F16"),
    ),
]


def warnings(request: dict[str, Any]) -> list[str]:
    return [warning.detail for warning in plan_of(recipe_of(request)).warnings]


@pytest.mark.parametrize(("trap", "remedy", "mended"), _TRAPS, ids=lambda value: str(value)[:60])
def test_trap_is_not_said_or_its_remedy_does_not_help(
    trap: dict[str, Any], remedy: str, mended: dict[str, Any]
) -> None:
    (message,) = warnings(trap)
    assert remedy in message
    assert warnings(mended) == []


def test_vector_under_a_fan_scheme_is_taken() -> None:
    from tests.support import problems_of

    assert "has no fans" in problems_of(recipe_of(tensor("xavier", (8,))))["/tensors/0/init"]


@pytest.mark.parametrize(
    "request_",
    [
        tensor("kaiming", (10, 8), name="head_proj.layers.0.weight"),
        tensor("kaiming", (10, 8), name="overheads.weight"),
        tensor("kaiming", (10, 8), name="encoder.layer.0.output.dense.weight"),
        tensor("kaiming", (8, 4, 3, 3), name="upsample.conv.weight"),
        tensor("xavier", (96, 32), name="attn.q_proj.weight"),
        tensor("kaiming", (96, 32), name="attn.qkv.weight"),
        tensor("kaiming", (8, 4, 3, 3), name="conv1.weight"),
    ],
    ids=lambda request: request["name"],
)
def test_innocent_tensor_is_warned_of(request_: dict[str, Any]) -> None:
    assert warnings(request_) == []


def test_thousand_warnings_are_sent() -> None:
    traps = [tensor("kaiming", (4, 4), name=f"{i}.head.weight") for i in range(1000)]
    found = plan_of(recipe_of(*traps)).warnings
    assert len(found) == 21
    assert found[-1].detail == "and 980 more like these"
