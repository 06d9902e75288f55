"""Checks every row of the golden file on every backend."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import service
from service.backends import KERNELS, Backend
from service.catalogue.distributions import DISTRIBUTIONS
from service.catalogue.layers import LAYERS
from service.catalogue.model_schemes import MODEL_SCHEMES
from service.catalogue.models import MODEL_TYPES
from service.catalogue.schemes import SCHEMES
from service.numerics.cast import DTYPES
from service.numerics.keys import stream_of
from service.numerics.philox import words_at, words_of_run
from service.numerics.quantile import quantile
from tests.support import bytes_of, plan_of

BACKENDS: list[Backend] = list(KERNELS.values())


def rows(kind: str) -> list[list[str]]:
    lines = (Path(__file__).parent / "v1.kat").read_text("utf-8").split("\n")
    return [line.split("\t")[1:] for line in lines if line.startswith(f"{kind}\t")]


@pytest.mark.parametrize(("source", "expected"), rows("stream"))
def test_stream_changed(source: str, expected: str) -> None:
    seed, name = json.loads(source)
    assert stream_of(int(seed), name).hex() == expected


@pytest.mark.parametrize(("source", "expected"), rows("words"))
def test_words_changed(source: str, expected: str) -> None:
    seed, name, first, count = json.loads(source)
    stream = stream_of(int(seed), name)
    run = words_of_run(np, stream, first, count)
    scattered = words_at(np, stream, np.arange(first, first + count, dtype=np.uint64))
    assert " ".join(f"{word:08x}" for word in run.tolist()) == expected
    assert run.tolist() == scattered.tolist()


@pytest.mark.parametrize(("word", "expected"), rows("quantile"))
def test_quantile_changed(word: str, expected: str) -> None:
    assert quantile(np, np.array([int(word, 16)], dtype=np.uint64)).tolist() == [int(expected)]


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
@pytest.mark.parametrize(("source", "expected"), rows("data"))
def test_data_changed(source: str, expected: str, backend: Backend) -> None:
    plan = plan_of(source)
    span = (len(plan.header), plan.nbytes)
    assert bytes_of(plan, span, backend).hex() == expected


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
@pytest.mark.parametrize(("source", "recipe_id", "digest", "sha256"), rows("file"))
def test_file_changed(
    source: str, recipe_id: str, digest: str, sha256: str, backend: Backend
) -> None:
    plan = plan_of(source)
    body = bytes_of(plan, backend=backend)
    found = (service.parse(source).recipe_id, plan.digest, hashlib.sha256(body).hexdigest())
    assert found == (recipe_id, digest, sha256)


def test_scheme_law_or_dtype_has_no_row() -> None:
    regions = [
        (tensor.dtype.name, region.scheme.scheme, region.law.name)
        for source, _ in rows("data")
        for tensor in plan_of(source).tensors
        for region in tensor.source.regions
    ]
    dtypes, schemes, laws = (set(column) for column in zip(*regions, strict=True))
    assert dtypes == set(DTYPES)
    assert schemes == set(SCHEMES)
    assert laws == set(DISTRIBUTIONS)


def test_layer_model_or_model_scheme_has_no_row() -> None:
    layers, models, model_schemes = set(), set(), set()
    for source, *_ in rows("file"):
        recipe = service.parse(source)
        layers |= {layer.type for layer in recipe.layers}
        models |= {recipe.model["model_type"]} if recipe.model else set()
        model_schemes |= {recipe.model_scheme.scheme} if recipe.model_scheme else set()
    assert layers == set(LAYERS)
    assert models == set(MODEL_TYPES)
    assert model_schemes == set(MODEL_SCHEMES)
