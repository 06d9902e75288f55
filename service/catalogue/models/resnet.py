"""ResNet: residual blocks of convolutions, with the names of transformers or torchvision.

Sources:
    transformers' ResNetPreTrainedModel: https://huggingface.co/docs/transformers/model_doc/resnet
    torchvision's ResNet: https://docs.pytorch.org/vision/stable/models/resnet.html
"""

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from service.catalogue.model_schemes.role import Role
from service.catalogue.models.blocks import ONES, VECTOR, ZEROS, vector
from service.catalogue.models.config import Architecture, Count, Labelled, Layers
from service.catalogue.schemes import Kaiming, Scheme, Uniform
from service.catalogue.weight import Weight, tensor
from service.errors import Problem

CONV = Kaiming(mode="fan_out")


class Naming(NamedTuple):
    """A library's names for a ResNet's layers: a convolution and the norm after it.

    Args:
        stem: Names of the first layers.
        block: Prefix of a block's names, with ``stage`` and ``index``.
        branch: Names in a block's branch, with ``place``.
        shortcut: Names in its shortcut.
        head: The classifier.
    """

    stem: tuple[str, str]
    block: str
    branch: tuple[str, str]
    shortcut: tuple[str, str]
    head: str


TRANSFORMERS = Naming(
    ("embedder.embedder.convolution", "embedder.embedder.normalization"),
    "encoder.stages.{stage[0]}.layers.{index}.",
    ("layer.{place[0]}.convolution", "layer.{place[0]}.normalization"),
    ("shortcut.convolution", "shortcut.normalization"),
    "classifier.1",
)
TORCHVISION = Naming(
    ("conv1", "bn1"),
    "layer{stage[1]}.{index}.",
    ("conv{place[1]}", "bn{place[1]}"),
    ("downsample.0", "downsample.1"),
    "fc",
)


class Stage(NamedTuple):
    """Blocks of one width.

    Args:
        number: Its number, from 0.
        before: Blocks before it.
        depth: Number of its blocks.
        ins: Input channels.
        outs: Output channels of each block.
    """

    number: int
    before: int
    depth: int
    ins: int
    outs: int


class ResNet(Labelled):
    """ResNet-18 to 152: Kaiming normal convolutions by fan_out, torch's default classifier."""

    model_types: ClassVar[tuple[str, ...]] = ("resnet",)
    source: ClassVar[str] = "https://huggingface.co/docs/transformers/model_doc/resnet"

    model_type: str = "resnet"
    num_channels: Count = 3
    embedding_size: Count = 64
    hidden_sizes: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)] | None = None
    depths: Annotated[
        tuple[Annotated[Layers, Field(ge=1)], ...], Field(strict=False, min_length=1)
    ] = (3, 4, 6, 3)
    layer_type: Literal["basic", "bottleneck"] = "bottleneck"
    downsample_in_first_stage: bool = False
    zero_init_residual: bool = False

    @property
    def _is_torchvision(self) -> bool:
        return self.architecture == "ResNet"

    @property
    def _naming(self) -> Naming:
        return TORCHVISION if self._is_torchvision else TRANSFORMERS

    @property
    def _widths(self) -> tuple[int, ...]:
        """Channels of each stage; torchvision's defaults depend on layer_type."""
        if self.hidden_sizes is not None:
            return self.hidden_sizes
        is_narrow = self._is_torchvision and self.layer_type == "basic"
        return (64, 128, 256, 512) if is_narrow else (256, 512, 1024, 2048)

    @property
    def labels(self) -> int:
        """The number of classes; torchvision's default is 1000, as in ImageNet."""
        is_default = self.num_labels is None and self.id2label is None
        return 1000 if self._is_torchvision and is_default else super().labels

    def contradictions(self) -> Iterator[Problem]:
        """Yield errors about fields that contradict each other."""
        stages, layers = len(self.depths), sum(self.depths)
        if layers > 10_000:
            yield Problem("/depths", f"the sum of depths is {layers}; the limit is 10000")
        if len(self._widths) != stages:
            detail = f"{len(self._widths)} sizes for {stages} depths: give one size for each stage"
            yield Problem("/hidden_sizes", detail)
        if self._is_torchvision and stages != 4:
            yield Problem("/depths", f"{stages} stages, but torchvision's ResNet has 4")
        if self.layer_type == "bottleneck" and min(self._widths) < 4:
            yield Problem("/hidden_sizes", "must be at least 4: a bottleneck is a quarter as wide")

    def body(self, prefix: str) -> Iterator[Weight]:
        """Yield ResNetModel's tensors."""
        stem = tuple(prefix + name for name in self._naming.stem)
        kernel = (self.embedding_size, self.num_channels, 7, 7)
        yield from _conv((stem[0], stem[1]), kernel, Role("input", stack="encoder"), ONES)
        ins = self.embedding_size
        for index, (depth, outs) in enumerate(zip(self.depths, self._widths, strict=True)):
            stage = Stage(index, sum(self.depths[:index]), depth, ins, outs)
            yield from self._stage(prefix, stage)
            ins = outs

    def _stage(self, prefix: str, stage: Stage) -> Iterator[Weight]:
        halves_image = stage.number > 0 or (
            self.downsample_in_first_stage and not self._is_torchvision
        )
        for index in range(stage.depth):
            number = (stage.number, stage.number + 1)
            at = prefix + self._naming.block.format(stage=number, index=index)
            ins, depth = stage.outs if index else stage.ins, stage.before + index + 1
            yield from self._branch(at, ins, stage.outs, depth)
            if index == 0 and (halves_image or stage.ins != stage.outs):
                names = (at + self._naming.shortcut[0], at + self._naming.shortcut[1])
                shortcut = Role("hidden", depth, "encoder")
                yield from _conv(names, (stage.outs, ins, 1, 1), shortcut, ONES)

    def _branch(self, at: str, ins: int, outs: int, depth: int) -> Iterator[Weight]:
        narrow = outs // 4
        kernels = [(outs, ins, 3, 3), (outs, outs, 3, 3)]
        if self.layer_type == "bottleneck":
            kernels = [(narrow, ins, 1, 1), (narrow, narrow, 3, 3), (outs, narrow, 1, 1)]
        is_zero = self.zero_init_residual and self._is_torchvision
        for index, kernel in enumerate(kernels):
            conv, bn = (at + name.format(place=(index, index + 1)) for name in self._naming.branch)
            role = Role("conv", depth, "encoder", index + 1, len(kernels))
            is_last = index == len(kernels) - 1
            yield from _conv((conv, bn), kernel, role, ZEROS if is_zero and is_last else ONES)

    def classifier(self, prefix: str) -> Iterator[Weight]:
        """Yield the classifier, if there are classes to distinguish."""
        if self.labels:
            name, width = self._naming.head, self._widths[-1]
            bound = 1 / math.sqrt(width)
            law = Uniform(low=-bound, high=bound)
            role = Role("head", stack="encoder")
            yield Weight(tensor(f"{name}.weight", (self.labels, width), law), (role,))
            yield vector(f"{name}.bias", self.labels, law)

    known: ClassVar[dict[str, Architecture]] = {
        "ResNetForImageClassification": Architecture("resnet.", (body, classifier)),
        "ResNetModel": Architecture("", (body,)),
        "ResNetBackbone": Architecture("", (body,)),
        "ResNet": Architecture("", (body, classifier)),
    }


def _conv(
    names: tuple[str, str], kernel: tuple[int, ...], role: Role, scale: Scheme
) -> Iterator[Weight]:
    """Yield a convolution and the BatchNorm after it, whose running statistics have no role."""
    conv, bn = names
    outs = kernel[0]
    yield Weight(tensor(f"{conv}.weight", kernel, CONV), (role,))
    yield Weight(tensor(f"{bn}.weight", (outs,), scale), (VECTOR,))
    yield Weight(tensor(f"{bn}.bias", (outs,), ZEROS), (VECTOR,))
    yield Weight(tensor(f"{bn}.running_mean", (outs,), ZEROS))
    yield Weight(tensor(f"{bn}.running_var", (outs,), ONES))
    yield Weight(tensor(f"{bn}.num_batches_tracked", (), ZEROS, dtype="I64"))
