"""Write the tables of docs/schemes.md and docs/operate.md anew, from schemes and settings.

What stands above a page's mark is written by hand and stays.
"""

import inspect
import json
import os
import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from service.catalogue.listing import schemes
from service.catalogue.schemes import SCHEMES
from service.settings import PREFIX, Settings

DOCS = Path(__file__).parents[1] / "docs"
MARK = "<!-- From here on the page is made by python -m tools.pages. -->\n"


def page(name: str) -> str:
    """Return a page with everything below the mark made anew.

    Raises:
        ValueError: It has lost its mark.
    """
    head, mark, _ = (DOCS / name).read_text("utf-8").partition(MARK)
    if not mark:
        raise ValueError(f"{name} has lost its mark")
    return head + mark + PAGES[name]()


def _schemes() -> str:
    return "".join(_section(entry) for entry in schemes())


def _settings() -> str:
    rows = [
        f"| `{name}` | `{PREFIX}{name.upper()}` | {_of_setting(field)} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return f"\n| setting | variable | default | what |\n|---|---|---|---|\n{''.join(rows)}"


def _of_setting(field: FieldInfo) -> str:
    if field.default == (os.cpu_count() or 1) and "threads" in (field.description or ""):
        return "the cores"
    default = field.default
    if isinstance(default, SecretStr) or default in ("", ()):
        return "none"
    return f"`{default}`"


def _section(entry: dict[str, Any]) -> str:
    docs = inspect.getdoc(SCHEMES[entry["name"]]) or ""
    prose, _, rest = docs.partition("\nArgs:\n")
    prose = prose.partition("\n>>>")[0].strip().replace("``", "`")
    meanings = dict(re.findall(r"^    (\w+): ((?:.+\n?(?:        .+\n?)*))", rest, re.MULTILINE))
    lines = [f"\n## {entry['name']}\n\n{prose}\n"]
    lines.append(f"\n`{entry['formula']}` ([source]({entry['source']}))\n")
    if entry["parameters"]:
        lines.append("\n| parameter | default | values | what |\n|---|---|---|---|\n")
    for name, schema in entry["parameters"].items():
        default = "required" if schema["required"] else f"`{_default(schema['default'])}`"
        meaning = " ".join(meanings[name].split()).replace("``", "`").replace("|", "\\|")
        lines.append(f"| `{name}` | {default} | {_values(schema)} | {meaning} |\n")
    if aliases := [f"`{alias}`" for alias in entry["aliases"]]:
        lines.append(f"\nAlso called {', '.join(aliases)}.\n")
    return "".join(lines)


def _default(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _values(schema: dict[str, Any]) -> str:
    """Return what a parameter may be, in words."""
    if "anyOf" in schema:
        return ", or ".join(_values(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kinds = {"boolean": "`true`, `false`", "string": "letters", "array": "two numbers, ascending"}
    if schema["type"] in kinds:
        return kinds[schema["type"]]
    word = "a whole number" if schema["type"] == "integer" else "a number"
    if "exclusiveMinimum" in schema:
        return f"{word} above {schema['exclusiveMinimum']}"
    if "minimum" in schema:
        most = f" to {schema['maximum']}" if "maximum" in schema else ""
        return f"{word} from {schema['minimum']}{most}"
    return "any finite number"


PAGES = {"schemes.md": _schemes, "operate.md": _settings}
"""What makes the lower part of each page."""

if __name__ == "__main__":
    for name in PAGES:
        (DOCS / name).write_text(page(name), "utf-8")
