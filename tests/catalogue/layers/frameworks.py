"""The same layers in each framework, with the tensors that it initializes."""

import os
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.catalogue.layers.support import Arrays

os.environ.setdefault("KERAS_BACKEND", "jax")


def imported(package: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(package, reason=f"{package} is not installed: make test-full")


class Case(NamedTuple):
    """A layer here and in the frameworks, and the shape of its input there.

    Args:
        layer: The layer of a recipe.
        torch: Returns a module, from torch.nn.
        keras: Returns a layer, from keras.layers and a name.
        flax: Returns a module, from flax.linen.
        shape: Shape of an input, features last, without the batch.
    """

    layer: dict[str, Any]
    torch: Callable[[Any], Any] | None = None
    keras: Callable[[Any, Any], Any] | None = None
    flax: Callable[[Any], Any] | None = None
    shape: tuple[int, ...] = ()


def by_torch(case: Case) -> Arrays:
    torch = imported("torch")
    torch.manual_seed(1)
    assert case.torch
    return {name: w.numpy() for name, w in case.torch(torch.nn).state_dict().items()}


def keras_layer(case: Case) -> Any:
    keras = imported("keras")
    keras.utils.set_random_seed(1)
    assert case.keras
    layer = case.keras(keras.layers, {"name": "x"})
    inputs = keras.Input(case.shape)
    layer(*([inputs] * (2 if case.layer["type"] == "multihead_attention" else 1)))
    return layer


def by_keras(case: Case) -> Arrays:
    return {w.path.removeprefix("x/"): np.asarray(w.value) for w in keras_layer(case).weights}


def flax_variables(case: Case) -> Any:
    jax, flax = imported("jax"), imported("flax.linen")
    assert case.flax
    module = case.flax(flax)
    kind = "int32" if case.layer["type"] == "embedding" else "float32"
    key, inputs = jax.random.key(1), jax.numpy.ones((2, *case.shape), kind)
    if case.layer["type"] in ("rnn", "lstm", "gru"):
        inputs = inputs[:, 0]
        return module.init(key, module.initialize_carry(key, inputs.shape), inputs)
    return module.init(key, inputs)


def by_flax(case: Case) -> Arrays:
    jax = imported("jax")
    leaves = jax.tree_util.tree_flatten_with_path(flax_variables(case))[0]
    return {".".join(step.key for step in path[1:]): np.asarray(leaf) for path, leaf in leaves}


FRAMEWORKS = {"pytorch": by_torch, "keras": by_keras, "flax": by_flax}
