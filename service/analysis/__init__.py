"""Signal propagation: which initialization lets a network train, in theory and measured."""

from service.analysis.analyse import analyse
from service.analysis.lsuv import calibrate

__all__ = ["analyse", "calibrate"]
