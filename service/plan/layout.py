"""Places tensors in a file, and selects or splits the tensors of a plan into other files."""

from collections.abc import Iterator, Mapping, Sequence

from service.container import header as container
from service.limits import Limits
from service.plan.diagnostics import Diagnostics
from service.plan.model import Plan, PlannedTensor
from service.plan.patterns import select


def assign_offsets(tensors: Sequence[PlannedTensor]) -> tuple[PlannedTensor, ...]:
    """Return the tensors in file order, each with its offset."""
    result: list[PlannedTensor] = []
    end = 0
    for tensor in sorted(tensors, key=lambda t: container.file_order(t.dtype.size, t.name)):
        result.append(tensor._replace(begin=end))
        end = result[-1].end
    return tuple(result)


def header(tensors: Sequence[PlannedTensor], metadata: Mapping[str, str]) -> bytes:
    """Return the header of a file.

    Args:
        tensors: The tensors in file order, with their offsets.
        metadata: The strings in the header.
    """
    entries = (container.Entry(t.name, t.dtype.name, t.shape, t.begin, t.end) for t in tensors)
    return container.encode_header(entries, metadata)


def keep_matching(plan: Plan, patterns: Sequence[str], limits: Limits) -> Plan:
    """Return the plan of the tensors whose names match any of ``patterns``.

    Raises:
        InvalidRecipe: A pattern matches no tensor, or matching would take too long.
    """
    diagnostics = Diagnostics(limits)
    diagnostics.check_matches("/include", patterns, len(plan.tensors))
    kept = select(patterns, {tensor.name: tensor for tensor in plan.tensors}, diagnostics)
    diagnostics.raise_if_any()
    return _file(plan, kept)


def rank_share(plan: Plan, rank: int, world: int) -> Plan:
    """Return the plan of one rank's tensors. Tensors are not split.

    The file is divided into ``world`` shares of equal size. A tensor belongs to the share that
    contains its middle, so the tensors of all ranks in order are the tensors of the whole file. A
    rank may have no tensors.

    Args:
        plan: The whole file.
        rank: The rank, from 0.
        world: The number of ranks.
    """
    total = max(1, plan.tensors[-1].end) if plan.tensors else 1
    kept = [
        tensor
        for tensor in plan.tensors
        if min(world - 1, (tensor.begin + tensor.end) * world // (2 * total)) == rank
    ]
    return _file(plan, kept)


def split_shards(plan: Plan, size: int, limits: Limits) -> list[Plan]:
    """Return the plans of the shards of a file, each as full as ``size`` allows.

    Args:
        plan: The whole file.
        size: The most bytes of tensors in one shard; a larger tensor gets a shard of its own.
        limits: Limits the number of shards.

    Raises:
        InvalidRecipe: There are too many shards.
    """
    shares = list(_shares(plan.tensors, size))
    diagnostics = Diagnostics(limits)
    diagnostics.check_limit("/shard_size", "shards", len(shares), "max_shards")
    diagnostics.raise_if_any()
    return [_file(plan, share) for share in shares]


def _shares(tensors: Sequence[PlannedTensor], size: int) -> Iterator[list[PlannedTensor]]:
    share: list[PlannedTensor] = []
    for tensor in tensors:
        if share and tensor.end - share[0].begin > size:
            yield share
            share = []
        share.append(tensor)
    yield share


def _file(plan: Plan, tensors: Sequence[PlannedTensor]) -> Plan:
    """Return the plan of a file with some of the tensors of ``plan``."""
    placed = assign_offsets(tensors)
    return Plan(
        generator=plan.generator,
        header=header(placed, plan.metadata),
        tensors=placed,
        metadata=plan.metadata,
        forward=plan.forward,
    )
