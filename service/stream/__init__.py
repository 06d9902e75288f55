"""Streams the bytes of a planned file, in chunks that worker threads compute ahead."""

from service.stream.arrays import generate
from service.stream.pipeline import Chunks, Pipeline, stream

__all__ = ["Chunks", "Pipeline", "generate", "stream"]
