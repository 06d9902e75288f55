"""Forward and backward passes compared with torch's autograd in float64."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import service
from service.analysis.chain import Chain
from service.analysis.network import apply_link, backward, forward
from tests.analysis.support import ACTIVATIONS, chain, conv, dense, gaussian, label, norm, recipe_of
from tests.catalogue.layers.frameworks import imported

HEAD: dict[str, Any] = {"name": "head", "type": "linear"}


def trained(chain: Chain, recipe: Any, batch: Any, end: Any) -> tuple[list[Any], list[Any]]:
    """Return torch's output of every link and the gradients there, channels last."""
    torch = imported("torch")
    made = {k: torch.tensor(np.asarray(v, np.float64)) for k, v in service.generate(recipe).items()}
    signal = torch.tensor(np.moveaxis(batch, -1, 1), requires_grad=True)
    stream, left = signal, []
    for link in chain.links:
        stream = signal if link.opens else stream
        value = passed(torch, link.before, signal)
        value = layer(torch, link, made, value)
        signal = stream + chain.scale * value if link.closes else value
        signal.retain_grad()
        left.append(signal)
    signal.backward(torch.tensor(np.moveaxis(end, -1, 1)))
    back = [np.moveaxis(each.grad.numpy(), 1, -1) for each in left]
    return [np.moveaxis(each.detach().numpy(), 1, -1) for each in left], back


def passed(torch: Any, activation: Any, signal: Any) -> Any:
    if activation.name == "linear":
        return signal
    extra = {"negative_slope": activation.below} if activation.name == "leaky_relu" else {}
    return getattr(torch.nn.functional, activation.name)(signal, **extra)


def layer(torch: Any, link: Any, made: dict[str, Any], value: Any) -> Any:
    functional = torch.nn.functional
    own = {
        k.rpartition(s)[2]: v
        for k, v in made.items()
        for s in "./"
        if k.rpartition(s)[0] == link.name
    }
    named = [own[key] for key in ("weight", "kernel", "scale", "gamma") if key in own]
    weight: Any = named[0] if named else None
    bias = own.get("bias", own.get("beta"))
    if link.kind == "normalization":
        return normalized(torch, link, weight, bias, value)
    if link.kind == "linear":
        flat = value if link.channels_first else value.movedim(1, -1)
        return functional.linear(flat.flatten(1), weight.T if "kernel" in own else weight, bias)
    if "kernel" in own:
        weight = weight.movedim((-1, -2), (0, 1))
    pads = [p for size in reversed(link.window) for p in ((size - 1) // 2, size // 2)]
    convolve = getattr(functional, f"conv{len(link.window)}d")
    return convolve(functional.pad(value, pads), weight, bias, groups=link.groups)


def normalized(torch: Any, link: Any, weight: Any, bias: Any, value: Any) -> Any:
    functional = torch.nn.functional
    if link.type == "batch_norm":
        return functional.batch_norm(value, None, None, weight, bias, training=True)
    if link.type == "group_norm":
        return functional.group_norm(value, link.groups, weight, bias)
    if link.type == "instance_norm":
        return functional.instance_norm(value, weight=weight, bias=bias)
    last, size = value.movedim(1, -1), (value.shape[1],)
    if link.type == "rms_norm":
        return functional.rms_norm(last, size, weight, eps=1e-5).movedim(-1, 1)
    return functional.layer_norm(last, size, weight, bias).movedim(-1, 1)


def compare(recipe: Any, places: tuple[int, ...] = (), **members: Any) -> None:
    if places:
        members["input"] = {"size": list(places)}
    made, weights = chain(recipe, **members)
    width = made.links[0].inputs
    batch = gaussian((5, *places, width))
    seen = forward(made, batch, partial(apply_link, weights))
    end = gaussian(seen.outputs[-1].shape, 1)
    gradients = list(backward(made, weights, seen, end))[::-1]
    values, theirs = trained(made, recipe, batch, end)
    for ours, value in zip(seen.outputs, values, strict=True):
        np.testing.assert_allclose(ours, value, rtol=1e-9, atol=1e-11)
    for gradient, their in zip(gradients, theirs, strict=True):
        np.testing.assert_allclose(gradient, their, rtol=1e-9, atol=1e-9 * abs(their).max())


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=label)
def test_gradient_behind_an_activation_is_not_torchs(activation: Any) -> None:
    layers = dense(4, 12, bias=True, bias_init={"scheme": "normal", "std": 0.3})
    compare(recipe_of(layers), activation=activation.model_dump(exclude_none=True))


IMAGES = [((7,), 4, 1), ((5, 6), [3, 2], 2), ((4, 3), [1, 5], 4), ((3, 4, 2), 2, 2), ((2, 2), 5, 1)]


@pytest.mark.parametrize(("size", "window", "groups"), IMAGES)
@pytest.mark.parametrize("convention", ["pytorch", "keras", "flax"])
def test_convolution_is_not_torchs(
    size: tuple[int, ...], window: Any, groups: int, convention: str
) -> None:
    layers = conv(3, 4, window, len(size), groups=groups, bias=True)
    layers[1]["out_channels"] = layers[2]["in_channels"] = 8
    inputs = 4 * int(np.prod(size))
    layers.append({**HEAD, "in_features": inputs, "out_features": 3})
    recipe = recipe_of(layers, convention=convention)
    compare(recipe, size, activation=["tanh", "relu", "gelu", "linear"])


NORMS = ["layer_norm", "rms_norm", "group_norm", "batch_norm", "instance_norm"]


@pytest.mark.parametrize("kind", NORMS)
@pytest.mark.parametrize("affine", [True, False])
def test_norm_is_not_torchs(kind: str, affine: bool) -> None:
    key = "elementwise_affine" if kind in ("layer_norm", "rms_norm") else "affine"
    drawn = {"scheme": "normal", "mean": 1.0, "std": 0.3}
    ends = ["weight"] if kind == "rms_norm" else ["weight", "bias"]
    rules = [{"match": f"norm*.{end}", "init": drawn} for end in ends]
    for layers, places in ((dense(3, 8), ()), (conv(3, 8), (4, 3))):
        if kind == "instance_norm" and not places:
            continue  # torch has no instance norm without positions
        mixed: list[Any] = []
        for i, each in enumerate(layers):
            mixed += [each, norm(kind, 8, f"norm{i}", **{key: affine})]
        compare(recipe_of(mixed, rules=rules if affine else []), places, activation="tanh")


def test_residual_branch_is_not_torchs() -> None:
    one = dense(3, 8, branch=[1, 1])
    compare(recipe_of(one), activation="gelu", residual_scale=0.3)
    two = [{**each, "branch": [1 + i % 2, 2]} for i, each in enumerate(dense(4, 8))]
    compare(recipe_of(two), activation="relu", residual_scale=-0.0)
    compare(recipe_of(two), activation="tanh", residual_scale=1.7)
    before = [norm("layer_norm", 8, "n", branch=[1, 2]), *two[:2], *dense(1, 8)[:0]]
    compare(recipe_of(before), activation="tanh", residual_scale=0.5)
    images = [{**each, "branch": [1 + i % 2, 2]} for i, each in enumerate(conv(4, 4))]
    compare(recipe_of(images), (4, 4), activation="silu", residual_scale=0.5)


def test_norm_before_a_branch_is_added_to_it() -> None:
    layers = [*dense(1, 8), norm("layer_norm", 8), {**dense(1, 8, branch=[1, 1])[0], "name": "b"}]
    compare(recipe_of(layers), activation="tanh", residual_scale=0.5)


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"])
def test_weights_of_a_dtype_are_not_those_generated(dtype: str) -> None:
    recipe = recipe_of(dense(1, 40, bias=True)) | {"dtype": dtype}
    made, weights = chain(recipe)
    file = service.generate(recipe)
    link = made.links[0]
    for held, name in ((link.weight, "fc1.weight"), (link.bias, "fc1.bias")):
        ours, theirs = weights.of(held), file[name]
        assert ours is not None
        assert ours.dtype == np.float64
        if theirs.dtype.kind == "f":
            assert np.array_equal(ours, theirs.astype(np.float64))
        wide = chain(recipe | {"dtype": "F64"})[1].of(held)
        assert wide is not None
        finest = {
            "F64": 0,
            "F32": 2e-7,
            "F16": 1e-3,
            "BF16": 8e-3,
            "F8_E4M3": 0.07,
            "F8_E5M2": 0.13,
        }
        assert np.abs(ours - wide).max() <= finest[dtype] * np.abs(wide).max() + 1e-12


def test_weights_drawn_for_another_convention_compute_otherwise() -> None:
    layers = [*conv(2, 4, [3, 2], groups=2)]
    layers[1]["out_channels"] = 8
    batch = gaussian((3, 5, 4, 4))
    outs = []
    for members in ({}, {"convention": "keras", "draw_convention": "pytorch"},
                    {"convention": "flax", "draw_convention": "pytorch"}):  # fmt: skip
        made, weights = chain(recipe_of(layers, **members), input={"size": [5, 4]})
        outs.append(forward(made, batch, partial(apply_link, weights)).outputs[-1])
    np.testing.assert_allclose(outs[1], outs[0], rtol=1e-12)
    np.testing.assert_allclose(outs[2], outs[0], rtol=1e-12)
