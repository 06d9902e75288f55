"""Weights drawn in PyTorch compute the same function in Keras and Flax."""

from typing import Any

import numpy as np
import pytest

from tests.catalogue.layers.cases import CASES
from tests.catalogue.layers.frameworks import flax_variables, imported, keras_layer
from tests.catalogue.layers.support import Arrays, arrays_of, layer_recipe

ZERO_BIASES = {"rnn", "lstm", "gru"}
NAMES = ["linear", "embedding", "conv1d", "conv2d in groups", "conv3d", "depthwise_conv2d"]
NAMES += ["conv_transpose2d", "rnn", "lstm", "gru", "multihead_attention", "layer_norm"]
PAIRS = [(name, convention) for name in NAMES for convention in ("keras", "flax")]
PAIRS += [("prelu", "flax"), ("prelu of each channel", "keras")]


def layer_of(name: str) -> dict[str, Any]:
    kind = CASES[name].layer["type"]
    return CASES[name].layer | ({"bias_init": "zeros"} if kind in ZERO_BIASES else {})


def input_of(name: str) -> Any:
    """Return an input of a batch of 2, features last."""
    case, rng = CASES[name], np.random.default_rng(3)
    if name == "embedding":
        return rng.integers(0, 100, (2, *case.shape))
    return rng.normal(size=(2, *case.shape)).astype(np.float32)


def by_torch(name: str, arrays: Arrays, x: Any) -> Any:
    torch = imported("torch")
    case = CASES[name]
    assert case.torch
    module = case.torch(torch.nn)
    module.load_state_dict({k: torch.tensor(w) for k, w in arrays.items()}, strict=False)
    is_conv = "conv" in name
    inputs = torch.tensor(np.moveaxis(x, -1, 1) if is_conv else x)
    if name == "multihead_attention":
        inputs = inputs.transpose(0, 1)
        return module(inputs, inputs, inputs)[0].transpose(0, 1).detach().numpy()
    if name in ZERO_BIASES:
        return module(inputs.transpose(0, 1))[0][-1].detach().numpy()
    made = module(inputs).detach().numpy()
    return np.moveaxis(made, 1, -1) if is_conv else made


def by_keras(name: str, arrays: Arrays, x: Any) -> Any:
    layer = keras_layer(CASES[name])
    for weight in layer.weights:
        weight.assign(arrays[weight.path.removeprefix("x/")])
    return np.asarray(layer(x, x) if name == "multihead_attention" else layer(x))


def by_flax(name: str, arrays: Arrays, x: Any) -> Any:
    jax, flax = imported("jax"), imported("flax.linen")
    case = CASES[name]
    assert case.flax
    module = case.flax(flax)
    variables = jax.tree_util.tree_map_with_path(
        lambda path, _: arrays[".".join(step.key for step in path[1:])], flax_variables(case)
    )
    if name not in ZERO_BIASES:
        return np.asarray(module.apply(variables, x))
    carry = module.initialize_carry(jax.random.key(1), x[:, 0].shape)
    for step in range(x.shape[1]):
        carry, made = module.apply(variables, carry, x[:, step])
    return np.asarray(made)


@pytest.mark.parametrize(("name", "convention"), PAIRS)
def test_network_computes_otherwise(name: str, convention: str) -> None:
    run = by_keras if convention == "keras" else by_flax
    recipe = layer_recipe(layer_of(name))
    arrays, x = arrays_of(recipe), input_of(name)
    drawn = arrays_of(recipe | {"convention": convention, "draw_convention": "pytorch"})
    if name == "conv_transpose2d" and convention == "flax":
        # Flax does not mirror the kernel, as PyTorch and Keras do.
        drawn["kernel"] = drawn["kernel"][::-1, ::-1]
    theirs, ours = by_torch(name, arrays, x), run(name, drawn, x)
    if "conv" in name:
        theirs, ours = _middle(theirs), _middle(ours)
    # Each framework adds a different epsilon to the variance.
    assert np.allclose(theirs, ours, atol=1e-2 if name == "layer_norm" else 2e-5)


def _middle(image: Any) -> Any:
    """Return the centre, which padding, whose size differs, does not reach."""
    places = [slice(size // 2, size // 2 + 1) for size in image.shape[1:-1]]
    return image[:, *places]
