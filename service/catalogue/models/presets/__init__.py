"""Published models by name: each is a config.json in this folder, as its authors published it."""

import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Return every preset's config by its name, in alphabetical order.

    >>> presets()["gpt2"]["n_embd"]
    768
    """
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".json")]
    return {
        file.name.removesuffix(".json"): json.loads(file.read_text("utf-8"))
        for file in sorted(files, key=lambda file: file.name)
    }
