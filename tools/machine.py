"""Which machine this is, for figures that depend on it."""

import os
import platform
import re
from pathlib import Path


def machine() -> str:
    """Return the processor and its cores, in words."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    name = found[1].strip() if found else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"
