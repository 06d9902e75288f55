"""The house's own rules: lengths of files and functions, docstrings, one table a folder."""

import ast
import statistics
from pathlib import Path

import pytest

from service.catalogue.distributions import DISTRIBUTIONS
from service.catalogue.schemes import SCHEMES
from tests.support import ROOT

FILES = sorted((ROOT / "service").rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def test_files_or_functions_are_long() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert max(lengths.values()) <= 350
    assert statistics.median(lengths.values()) < 150
    bodies = [
        (node.end_lineno or 0) - node.body[bool(ast.get_docstring(node))].lineno + 1
        for tree in TREES.values()
        for node in functions(tree)
        if len(node.body) > bool(ast.get_docstring(node))
    ]
    assert statistics.median(bodies) < 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_name_is_without_docstring(path: Path) -> None:
    tree = TREES[path]
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            nested = any(node in ast.walk(f) and node is not f for f in functions(tree))
            assert nested or ast.get_docstring(node), node.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_error_that_is_raised_is_undocumented(path: Path) -> None:
    for node in functions(TREES[path]):
        docs = ast.get_docstring(node) or ""
        if node.name.startswith("_") or not docs:
            continue
        own = [n for n in ast.walk(node) if isinstance(n, ast.Raise) and n.exc is not None]
        assert not own or "Raises:" in docs, node.name


def test_law_or_scheme_has_no_file_in_its_folder() -> None:
    for folder, table in (("distributions", DISTRIBUTIONS), ("schemes", SCHEMES)):
        modules = {kind.__module__.rpartition(".")[2] for kind in table.values()}
        files = {path.stem for path in (ROOT / "service/catalogue" / folder).glob("*.py")}
        assert files - {"__init__", "scheme"} == modules


def test_project_names_a_registry_or_a_path_of_a_machine() -> None:
    tracked = [
        p
        for p in ROOT.rglob("*")
        if p.is_file() and p.suffix in {".py", ".md", ".toml", ".txt", ".yml", ".c", ".h", ".mjs"}
    ]
    outside = {".venv", ".venv-numpy1", ".npm", "build", "dist", ".git"}
    words = ("files." + "pythonhosted", "pypi." + "org", "/" + "root/", "/" + "work/")
    for path in tracked:
        if not outside & set(path.relative_to(ROOT).parts):
            text = path.read_text("utf-8")
            assert not any(word in text for word in words), path
