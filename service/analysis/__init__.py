"""Signal propagation: which initialization lets a network train, in theory and measured."""

from service.analysis.analyse import analyse
from service.analysis.batch import batch_of
from service.analysis.lsuv import calibrate

__all__ = ["analyse", "batch_of", "calibrate"]
