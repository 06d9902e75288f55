"""Every scheme over models is told of: a section, its parameters, its file."""

import inspect
from dataclasses import fields

import pytest

from service.catalogue.model_schemes import MODEL_SCHEMES
from tests.support import ROOT

PAGE = (ROOT / "docs/model-schemes.md").read_text("utf-8")


@pytest.mark.parametrize("name", MODEL_SCHEMES)
def test_scheme_is_undocumented(name: str) -> None:
    kind = MODEL_SCHEMES[name]
    docs = inspect.getdoc(kind) or ""
    section = PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert docs.partition("\n")[0] in section
    assert f"`{kind.formula}` ([source]({kind.source}))" in section
    parameters = [f for f in fields(kind) if f.name != "scheme"]  # type: ignore[arg-type]
    table = section.partition("\n| parameter | default | values |\n|---|---|---|\n")[2]
    assert table.count("\n") == len(parameters)
    for field in parameters:
        assert f"{field.name}:" in docs
        default = "none" if field.default is None else f"`{field.default}`"
        assert f"| `{field.name}` | {default} |" in table


def test_scheme_has_no_file_in_its_folder() -> None:
    modules = {kind.__module__.rpartition(".")[2] for kind in MODEL_SCHEMES.values()}
    files = {path.stem for path in (ROOT / "service/catalogue/model_schemes").glob("*.py")}
    assert files - {"__init__", "model_scheme", "role"} == modules
