"""A recipe as files: shards, index and manifest, saved and verified."""

from service.checkpoint.files import Checkpoint, Cut, Part, TextFile, WeightFile, checkpoint
from service.checkpoint.save import save_checkpoint, save_file
from service.checkpoint.verify import Verdict, verify

__all__ = [
    "Checkpoint",
    "Cut",
    "Part",
    "TextFile",
    "Verdict",
    "WeightFile",
    "checkpoint",
    "save_checkpoint",
    "save_file",
    "verify",
]
