"""Every scheme's numbers against its formula, written out once more with 50 digits."""

from typing import Any

import pytest
from mpmath import log, mpf

from service.catalogue.schemes import (
    Kaiming,
    Normal,
    Ones,
    Scheme,
    TruncatedNormal,
    VarianceScaling,
    Xavier,
    Zeros,
)
from tests.catalogue.model_schemes.support import (
    INNER,
    WIDTH,
    inits_of,
    layers,
    linear,
    over_layers,
    root,
    shapes_of,
)
from tests.support import plan_of

TORCH = Kaiming(nonlinearity="leaky_relu", negative_slope=5**0.5, distribution="uniform")
SCALED = ("attn.v", "attn.o", "ffn.up", "ffn.down")


def planned(scheme: Any, of: list[dict[str, Any]]) -> dict[str, Scheme]:
    found = inits_of(over_layers(scheme, of))
    return {name.removesuffix(".weight"): init for name, init in found.items()}


def both(encoder: int, decoder: int) -> list[dict[str, Any]]:
    return layers("encoder", encoder) + layers("decoder", decoder)


@pytest.mark.parametrize("blocks", [1, 3, 7, 24])
@pytest.mark.parametrize("stack", ["encoder", "decoder"])
def test_deepnorm_of_one_stack(stack: str, blocks: int) -> None:
    inits = planned("deepnorm", layers(stack, blocks))
    for name in SCALED:
        beta = float(1 / root(8 * blocks, 4))
        assert inits[f"{stack}.0.{name}"] == Xavier(beta, "normal")
    for name in ("attn.q", "attn.k"):
        assert inits[f"{stack}.0.{name}"] == Xavier(1.0, "normal")
    plan = plan_of(over_layers("deepnorm", layers(stack, blocks)))
    assert plan.forward == {"alpha": float(root(2 * blocks, 4))}


@pytest.mark.parametrize(("rule", "times"), [("paper", "0.87"), ("code", "1.15")])
def test_deepnorm_of_two_stacks(rule: str, times: str) -> None:
    n, m = 5, 3
    scheme = {"scheme": "deepnorm", "rule": rule}
    inits = planned(scheme, both(n, m))
    product = root(n**4 * m, 16)
    assert inits["encoder.4.attn.v"] == Xavier(float(mpf(times) / product), "normal")
    assert inits["decoder.2.ffn.up"] == Xavier(float(1 / root(12 * m, 4)), "normal")
    assert plan_of(over_layers(scheme, both(n, m))).forward == {
        "alpha_encoder": float(mpf("0.81") * product),
        "alpha_decoder": float(root(3 * m, 4)),
    }


@pytest.mark.parametrize("blocks", [1, 3, 7, 24])
@pytest.mark.parametrize("stack", ["encoder", "decoder"])
def test_sub_ln_of_one_stack(stack: str, blocks: int) -> None:
    inits = planned("sub_ln", layers(stack, blocks))
    for name in SCALED:
        gain = float(root(log(2 * blocks)))
        assert inits[f"{stack}.0.{name}"] == Xavier(gain, "normal")
    assert inits[f"{stack}.0.attn.q"] == Xavier(1.0, "normal")


def test_sub_ln_of_two_stacks() -> None:
    n, m = 5, 3
    inits = planned("sub_ln", both(n, m))
    gain = float(root(log(3 * m) * log(2 * n) / 3))
    assert inits["encoder.0.attn.o"] == Xavier(gain, "normal")
    assert inits["decoder.0.attn.o"] == Xavier(float(root(log(3 * m))), "normal")


def test_sub_ln_adds_norms_before_projections() -> None:
    shapes = shapes_of(over_layers("sub_ln", layers(blocks=2)))
    for depth in (0, 1):
        for parameter in ("weight", "bias"):
            assert shapes[f"decoder.{depth}.attn.inner_attn_ln.{parameter}"] == (WIDTH,)
            assert shapes[f"decoder.{depth}.ffn.ffn_layernorm.{parameter}"] == (INNER,)
    inits = inits_of(over_layers("sub_ln", layers(blocks=1)))
    assert inits["decoder.0.ffn.ffn_layernorm.weight"] == Ones()
    assert inits["decoder.0.ffn.ffn_layernorm.bias"] == Zeros()


def test_t_fixup() -> None:
    n, m = 5, 3
    tables = [
        {
            "name": stack,
            "type": "embedding",
            "num_embeddings": 9,
            "embedding_dim": WIDTH,
            "padding_idx": 0,
            "role": "embedding",
            "stack": stack,
        }
        for stack in ("encoder", "decoder")
    ]
    head = linear("head", WIDTH, 9, "head")
    inits = planned("t_fixup", [*both(n, m), *tables, head])
    for name in SCALED:
        gain = float(mpf("0.67") / root(n, 4))
        assert inits[f"encoder.0.{name}"] == Xavier(gain)
        assert inits[f"decoder.0.{name}"] == Xavier(float(1 / root(9 * m, 4)))
    assert inits["encoder.0.attn.q"] == inits["head"] == Xavier()
    for stack, blocks in (("encoder", n), ("decoder", m)):
        std = float(1 / root(WIDTH) / root(9 * blocks, 4))
        assert inits[f"{stack}.weight[0]"] == Zeros()
        assert inits[f"{stack}.weight[1]"] == Normal(std=std)


@pytest.mark.parametrize("alpha", [1.0, 0.7])
@pytest.mark.parametrize(("rule", "degree"), [("paper", 1), ("code", 2)])
def test_ds_init(alpha: float, rule: str, degree: int) -> None:
    scheme = {"scheme": "ds_init", "alpha": alpha, "rule": rule}
    of = [*layers("decoder", 7), linear("free", 8, 8, "hidden")]
    inits = planned(scheme, of)
    for depth in range(1, 8):
        scale = float(mpf(alpha) ** 2 / root(depth, degree))
        for name in (*SCALED, "attn.q", "attn.k"):
            expected = VarianceScaling(scale, "fan_avg", "uniform")
            assert inits[f"decoder.{depth - 1}.{name}"] == expected
    assert inits["free"] == TORCH
    (row,) = (
        t for t in plan_of(over_layers(scheme, of)).tensors if t.name == "decoder.3.ffn.up.weight"
    )
    bound = root(mpf(6) / (WIDTH + INNER)) * alpha / root(root(4, degree))
    assert row.source.regions[0].law.extremes[1] == pytest.approx(float(bound), rel=1e-9)


@pytest.mark.parametrize("mode", ["fan_out", "fan_in"])
def test_fixup_of_branches_of_one_two_and_three(mode: str) -> None:
    of = [
        {
            "name": f"{block}.conv{place}",
            "type": "conv2d",
            "in_channels": 8,
            "out_channels": 8,
            "kernel_size": [3, 3],
            "role": "conv",
            "depth": block + 1,
            "branch": [place, layers],
        }
        for block, layers in enumerate((1, 2, 3))
        for place in range(1, layers + 1)
    ]
    stem, head = linear("stem", 4, 8, "input"), linear("head", 8, 4, "head")
    inits = planned({"scheme": "fixup", "mode": mode}, [stem, *of, head])

    def shrunk(layers: int) -> VarianceScaling:
        scale = float(2 / root(3, layers - 1))
        return VarianceScaling(scale, mode, "normal")  # type: ignore[arg-type]

    zeros = ("0.conv1", "1.conv2", "2.conv3", "head", "head.bias")
    assert [inits[name] for name in zeros] == [Zeros()] * 5
    assert inits["1.conv1"] == shrunk(2)
    assert inits["2.conv1"] == inits["2.conv2"] == shrunk(3)
    assert inits["stem"] == TORCH
    shapes = shapes_of(over_layers("fixup", [stem, *of, head]))
    scalars = {
        name for name in shapes if "conv" not in name and not name.startswith(("stem", "he"))
    }
    assert scalars == {
        "bias1",
        "bias2",
        *(f"0.{name}" for name in ("bias1a", "bias1b", "scale")),
        *(f"1.{name}" for name in ("bias1a", "bias1b", "bias2a", "bias2b", "scale")),
        *(f"2.bias{place}{side}" for place in (1, 2, 3) for side in "ab"),
        "2.scale",
    }
    assert {shapes[name] for name in scalars} == {(1,)}
    assert {inits[name] for name in scalars} == {Zeros(), Ones()}
    assert inits["2.scale"] == Ones()


def test_gpt2_residual() -> None:
    of = [*layers(blocks=7), linear("head", WIDTH, 9, "head")]
    inits = planned({"scheme": "gpt2_residual", "std": 0.03}, of)
    narrow = Normal(std=float(mpf(0.03) / root(14)))
    for name, init in inits.items():
        if name.endswith(".bias"):
            assert init != Normal(std=0.03)
        else:
            assert init == (narrow if name.endswith(("attn.o", "down")) else Normal(std=0.03))
    assert planned("gpt2_residual", of)["head"] == Normal(std=0.02)


def test_depth_scaled() -> None:
    of = layers(blocks=7)
    of.insert(5, linear("decoder.0.ffn.gated", WIDTH, INNER, "ffn_in", depth=1))
    table = {"name": "table", "type": "embedding", "num_embeddings": 9, "embedding_dim": WIDTH}
    of += [table | {"role": "embedding"}, linear("head", WIDTH, 9, "head")]
    inits = planned("depth_scaled", of)
    for depth in range(7):
        narrow = Normal(std=float(mpf(0.02) / root(2 * (depth + 1))))
        assert inits[f"decoder.{depth}.attn.o"] == inits[f"decoder.{depth}.ffn.down"] == narrow
        assert inits[f"decoder.{depth}.ffn.up"] == Normal(std=0.02)
    assert inits["decoder.0.ffn.gated"] == Normal(std=float(mpf(0.02) / root(2)))
    assert inits["table"] == Normal(std=1.0)
    assert inits["head"] == TruncatedNormal(std=0.125, bounds=(-3.0, 3.0))


def test_small_and_wang_init() -> None:
    small = Normal(std=float(root(mpf(2) / (5 * WIDTH))))
    wang = Normal(std=float(2 / (7 * root(WIDTH))))
    for scheme, residual in (("small_init", small), ("wang_init", wang)):
        inits = planned(scheme, [*layers(blocks=7), linear("head", WIDTH, 9, "head")])
        assert inits["decoder.3.attn.o"] == inits["decoder.6.ffn.down"] == residual
        assert inits["decoder.3.attn.q"] == inits["decoder.6.ffn.up"] == inits["head"] == small


def test_rezero_and_skipinit_only_add() -> None:
    own = shapes_of({"seed": 1, "layers": layers(blocks=2)})
    rezero = shapes_of(over_layers("rezero", layers(blocks=2)))
    skipinit = shapes_of(over_layers("skipinit", layers(blocks=2)))
    assert rezero == own | {f"decoder.{depth}.resweight": (1,) for depth in (0, 1)}
    branches = [f"decoder.{depth}.{branch}" for depth in (0, 1) for branch in ("attn", "ffn")]
    assert skipinit == own | {f"{branch}.skipinit_gain": () for branch in branches}
    for scheme in ("rezero", "skipinit"):
        inits = inits_of(over_layers(scheme, layers(blocks=1)))
        added = [name for name in inits if "resweight" in name or "skipinit" in name]
        assert {inits[name] for name in added} == {Zeros()}
        assert inits["decoder.0.attn.o.weight"] == TORCH


def test_normformer_of_an_attention_layer() -> None:
    attention = {
        "name": "0.attn",
        "type": "multihead_attention",
        "embed_dim": WIDTH,
        "num_heads": 4,
        "depth": 1,
    }
    added = set(shapes_of(over_layers("normformer", [attention]))) - set(
        shapes_of({"seed": 1, "layers": [attention]})
    )
    assert added == {"0.c_attn", "0.attn_ln.weight", "0.attn_ln.bias"}
