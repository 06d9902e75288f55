"""Where tensors lie in a file, and the files that hold some of a plan's tensors."""

from collections.abc import Iterator, Mapping, Sequence

from service.container import header as container
from service.limits import Limits
from service.plan.diagnostics import Diagnostics
from service.plan.model import Plan, PlannedTensor
from service.plan.patterns import select


def placed(tensors: Sequence[PlannedTensor]) -> tuple[PlannedTensor, ...]:
    """Return tensors in file order, each behind the one before."""
    laid: list[PlannedTensor] = []
    end = 0
    for tensor in sorted(tensors, key=lambda t: container.file_order(t.dtype.size, t.name)):
        laid.append(tensor._replace(begin=end))
        end = laid[-1].end
    return tuple(laid)


def header(tensors: Sequence[PlannedTensor], metadata: Mapping[str, str]) -> bytes:
    """Return the header of a file of tensors that are placed."""
    entries = (container.Entry(t.name, t.dtype.name, t.shape, t.begin, t.end) for t in tensors)
    return container.encode_header(entries, metadata)


def included(plan: Plan, patterns: Sequence[str], limits: Limits) -> Plan:
    """Return the file of those tensors whose names match one of ``patterns``.

    Raises:
        InvalidRecipe: A pattern matches nothing, or matching would take too long.
    """
    diagnostics = Diagnostics(limits)
    diagnostics.check_matches("/include", patterns, len(plan.tensors))
    kept = select(patterns, {tensor.name: tensor for tensor in plan.tensors}, diagnostics)
    diagnostics.raise_if_any()
    return _file(plan, kept)


def ranked(plan: Plan, rank: int, world: int) -> Plan:
    """Return the file of one rank's tensors: whole ones, as many bytes as the others' if it can be.

    A tensor belongs to the rank in whose share of the file its middle lies, so that the ranks'
    tensors, one rank after another, are the plan's. A rank may have none.

    Args:
        plan: The whole file.
        rank: Which rank, from 0.
        world: How many there are.
    """
    total = max(1, plan.tensors[-1].end) if plan.tensors else 1
    kept = [
        tensor
        for tensor in plan.tensors
        if min(world - 1, (tensor.begin + tensor.end) * world // (2 * total)) == rank
    ]
    return _file(plan, kept)


def sharded(plan: Plan, size: int, limits: Limits) -> list[Plan]:
    """Return the files that hold a plan's tensors in file order, each as full as ``size`` allows.

    Args:
        plan: The whole file.
        size: Bytes of tensors in one; a larger tensor has a file of its own.
        limits: How many they may be.

    Raises:
        InvalidRecipe: They are too many.
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
    laid = placed(tensors)
    return Plan(
        generator=plan.generator,
        header=header(laid, plan.metadata),
        tensors=laid,
        metadata=plan.metadata,
        forward=plan.forward,
    )
