"""Write the tables of docs/frameworks.md: `python -m tests.catalogue.schemes.frameworks.page`."""

import importlib
import inspect
import json
from collections.abc import Iterator

from service.catalogue.schemes.frameworks import FRAMEWORKS
from tests.catalogue.schemes.frameworks.formulas import FORMULAS
from tests.support import ROOT

PAGE = ROOT / "docs" / "frameworks.md"
MARK = "<!-- written by tests/catalogue/schemes/frameworks/page.py -->\n"


def _section(key: str) -> Iterator[str]:
    framework = FRAMEWORKS[key]
    about = (
        inspect.getdoc(importlib.import_module(f"service.catalogue.schemes.frameworks.{key}")) or ""
    )
    layouts = ", ".join(framework.layouts)
    yield f"\n## {framework.title}\n\n{about}\n\nLayouts: {layouts}.\n"
    yield "\n| name | object | formula | note |\n|---|---|---|---|\n"
    rows: dict[tuple[str, str, str], list[str]] = {}
    for name, init in framework.names.items():
        row = json.dumps(init), FORMULAS[key][name], framework.notes.get(name, "")
        rows.setdefault(row, []).append(f"`{name}`")
    for (text, formula, note), names in rows.items():
        yield f"| {', '.join(names)} | `{text}` | `{formula}` | {note} |\n"
    if framework.unmapped:
        yield "\n| name without an object | why |\n|---|---|\n"
    reasons: dict[str, list[str]] = {}
    for name, reason in framework.unmapped.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    for reason, names in reasons.items():
        yield f"| {', '.join(names)} | {reason.replace('{', '`{').replace('}', '}`')} |\n"


def tables() -> str:
    """Return everything below the mark."""
    return "".join(line for key in FRAMEWORKS for line in _section(key))


def introduction() -> str:
    """Return what people wrote above it."""
    return PAGE.read_text("utf-8").partition(MARK)[0]


if __name__ == "__main__":
    PAGE.write_text(introduction() + MARK + tables(), "utf-8")
