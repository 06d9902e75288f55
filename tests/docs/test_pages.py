"""The documentation: every example runs, every link leads somewhere, nothing is left out."""

import re
import sys
from pathlib import Path

import click
import pytest

import service
from service.catalogue.model_schemes import MODEL_SCHEMES
from service.catalogue.schemes import FRAMEWORK_ALIASES, SCHEMES
from service.cli import main
from service.settings import PREFIX, Settings
from tests.docs.console import run, steps
from tests.support import ROOT
from tools import pages
from tools.live import LiveServer

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")])

NOT_RUN = {
    "make run": "serves until it is stopped; tests/test_package.py runs it",
    "make run PORT=8000": "the same",
    "docker compose up": "needs a Docker engine",
    "for replica in $(docker compose ps --quiet tensorseed); do docker restart --time 60 $replica;"
    " done": "needs a Docker engine; tests/web/test_life.py drains a server",
    "tensorseed push examples/recipes/gpt2-tiny.json acme/tiny-gpt2": "for the next one",
    'HF_ENDPOINT=http://127.0.0.1:8000 python -c "from transformers import AutoModelForCausalLM'
    " as A; print(A.from_pretrained('acme/tiny-gpt2', revision='seed-7').num_parameters())\"": (
        "needs transformers; tests/hub/test_transformers.py runs it"
    ),
    "pip install 'tensorseed[postgres]'": "is installed; installs from an index",
    "TENSORSEED_DATABASE_URL=postgresql://user:password@host/database tensorseed serve": (
        "serves until it is stopped; tests/registry/test_servers.py does it"
    ),
}
"""Every command of the pages that no test of this file runs, and why."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_example_prints_otherwise(page: Path, server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for step in steps(page.read_text("utf-8"), norun=False):
        run(step, tmp_path, server.port, str(Path(sys.executable).parent))


def test_command_is_not_run_without_a_reason() -> None:
    found = {s.command for page in PAGES for s in steps(page.read_text("utf-8"), norun=True)}
    assert found == set(NOT_RUN)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_recipe_on_a_page_is_refused(page: Path) -> None:
    for text in re.findall(r"```json recipe\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        assert service.compile(service.parse(text)).tensors


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_link_leads_nowhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("name", pages.PAGES)
def test_table_is_not_that_of_the_code(name: str) -> None:
    """``python -m tools.pages`` writes them anew."""
    assert (pages.DOCS / name).read_text("utf-8") == pages.page(name)


def test_every_kind_of_example_is_found() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(steps(readme, norun=False)) >= 7
    assert "```sh" not in readme
    assert f"[{len(SCHEMES)} schemes](docs/schemes.md)" in readme
    assert f"[{len(MODEL_SCHEMES)} over models](docs/model-schemes.md)" in readme
    assert f"[{len(FRAMEWORK_ALIASES)} framework names](docs/frameworks.md)" in readme


def test_setting_is_undocumented() -> None:
    page = (ROOT / "docs/operate.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert field.description
        assert f"| `{name}` | `{PREFIX}{name.upper()}` | " in page


def test_command_or_flag_is_without_help() -> None:
    commands = main.list_commands(click.Context(main))
    assert set(commands) == {
        "serve",
        "generate",
        "plan",
        "verify",
        "schemes",
        "config",
        "key",
        "analyse",
        "calibrate",
        "push",
        "pull",
        "url",
    }
    for name in commands:
        command = main.commands[name]
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help
    flags = {p.name for p in main.commands["serve"].params}
    assert flags == set(Settings.model_fields)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples/recipes").glob("*.json")), ids=lambda p: p.stem
)
def test_example_recipe_is_refused_or_warns(path: Path) -> None:
    recipe = service.parse(path.read_bytes())
    plan = service.compile(recipe)
    ignored = [w for w in plan.warnings if w.pointer == "/model"]  # the preset's own dtype
    assert list(plan.warnings) == ignored
    if recipe.model is None:
        assert len(plan.tensors) >= len(recipe.tensors)


def test_speed_on_the_front_page_was_not_measured() -> None:
    """Every row of its table stands, to the letter, in the results that it links to."""
    page = (ROOT / "README.md").read_text("utf-8")
    section = page[page.index("## How fast") :].split("\n## ")[0]
    (link,) = re.findall(r"\]\((benchmarks/results/[^)]+\.md)\)", section)
    results = (ROOT / link).read_text("utf-8").splitlines()
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    assert set(rows) <= set(results)
