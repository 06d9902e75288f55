"""A checkpoint: the files of a recipe by name, each with known length and entity tag."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self

import rfc8785
from pydantic import BaseModel, ByteSize, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from service.catalogue.models import DTYPES
from service.catalogue.models.document import document_of
from service.limits import Limits
from service.plan import Plan
from service.plan.layout import keep_matching, rank_share, split_shards
from service.recipe import Recipe

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
RECIPE = "recipe.json"
CONFIG = "config.json"


class Part(BaseModel):
    """A selection of a recipe's tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    include: tuple[str, ...] = Field((), description="only tensors that match one of these")
    rank: int | None = Field(None, ge=0, description="only this rank's tensors, from 0")
    world: int | None = Field(None, ge=1, le=2**31 - 1, description="number of ranks")

    @model_validator(mode="after")
    def _is_a_rank_of_the_world(self) -> Self:
        if (self.rank is None) is not (self.world is None):
            raise PydanticCustomError("rank", "rank and world must be given together")
        if self.rank is not None and self.world is not None and self.rank >= self.world:
            raise PydanticCustomError("rank", "rank must be less than world: ranks count from 0")
        return self

    def of(self, plan: Plan, limits: Limits) -> Plan:
        """Return the plan of the selected tensors.

        Raises:
            InvalidRecipe: A pattern matches nothing.
        """
        if self.include:
            plan = keep_matching(plan, self.include, limits)
        if self.rank is not None and self.world is not None:
            plan = rank_share(plan, self.rank, self.world)
        return plan


class Cut(Part):
    """A selection of a recipe's tensors, and the size of the files."""

    shard_size: Annotated[ByteSize, Field(ge=1, le=50 * 10**9)] = Field(
        ByteSize(5 * 10**9), description="most bytes of a shard: 5GB, 500MB, 1GiB or a number"
    )


@dataclass(frozen=True)
class WeightFile:
    """A safetensors file of a checkpoint.

    Args:
        name: Its name.
        plan: Its plan. The values are not generated yet.
    """

    name: str
    plan: Plan

    @property
    def nbytes(self) -> int:
        """Its length in bytes."""
        return self.plan.nbytes

    @property
    def etag(self) -> str:
        """The strong HTTP entity tag: equal tags mean equal bytes, always."""
        return self.plan.etag


@dataclass(frozen=True)
class TextFile:
    """A JSON file of a checkpoint.

    Args:
        name: Its name.
        text: Its bytes.
    """

    name: str
    text: bytes

    @property
    def nbytes(self) -> int:
        """Its length in bytes."""
        return len(self.text)

    @cached_property
    def sha256(self) -> str:
        """Its SHA-256 in hexadecimal."""
        return hashlib.sha256(self.text).hexdigest()

    @property
    def etag(self) -> str:
        """The strong HTTP entity tag: equal tags mean equal bytes, always."""
        return f'"j1-{self.sha256}"'


File = WeightFile | TextFile
"""One file of a checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    """The files of a recipe.

    Args:
        recipe: The recipe.
        whole: All weights in one file.
        shards: The weight files: `whole`, or several files if it is larger than a shard.
        beside: The JSON files: recipe.json, config.json for a model, and the index of shards.
    """

    recipe: Recipe
    whole: WeightFile
    shards: tuple[WeightFile, ...]
    beside: tuple[TextFile, ...]

    @cached_property
    def files(self) -> dict[str, File]:
        """The files by name, in the order of a listing."""
        every: list[File] = [*self.beside, *self.shards]
        return {file.name: file for file in sorted(every, key=lambda file: file.name)}

    def find(self, name: str) -> File | None:
        """Return a file by name; None if there is none. ``model.safetensors`` always exists."""
        return self.whole if name == WEIGHTS else self.files.get(name)

    @property
    def tensors(self) -> int:
        """Number of tensors."""
        return len(self.whole.plan.tensors)


def checkpoint(recipe: Recipe, plan: Plan, cut: Cut, limits: Limits) -> Checkpoint:
    """Return the files of a recipe, or of some of its tensors.

    Args:
        recipe: The recipe.
        plan: Its plan.
        cut: The selected tensors, and the size of the files.
        limits: The limits.

    Raises:
        InvalidRecipe: A pattern of the cut matches nothing, or there are too many shards.
    """
    plan = cut.of(plan, limits)
    beside = [TextFile(RECIPE, recipe.canonical)]
    if recipe.model is not None:
        beside.append(TextFile(CONFIG, _text(_config_of(recipe, recipe.model))))
    whole = WeightFile(WEIGHTS, plan)
    shards = _shards(plan, cut.shard_size, limits)
    if len(shards) > 1:
        beside.append(TextFile(INDEX, _text(_index(plan, shards))))
    return Checkpoint(
        recipe=recipe,
        whole=whole,
        shards=tuple(WeightFile(*shard) for shard in shards.items())
        if len(shards) > 1
        else (whole,),
        beside=tuple(beside),
    )


def _shards(plan: Plan, size: int, limits: Limits) -> dict[str, Plan]:
    plans = split_shards(plan, size, limits)
    return {
        f"model-{number:05}-of-{len(plans):05}.safetensors": shard
        for number, shard in enumerate(plans, 1)
    }


def _index(plan: Plan, shards: Mapping[str, Plan]) -> dict[str, Any]:
    weights = {tensor.name: name for name, shard in shards.items() for tensor in shard.tensors}
    sizes = {
        "total_parameters": plan.total_parameters,
        "total_size": plan.nbytes - len(plan.header),
    }
    return {"metadata": sizes, "weight_map": weights}


def _config_of(recipe: Recipe, model: Mapping[str, Any]) -> dict[str, Any]:
    canonical = json.loads(rfc8785.dumps(dict(model)))  # 1.0 becomes 1, as in a stored recipe
    return document_of(canonical, DTYPES.get(recipe.dtype))


def _text(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"
