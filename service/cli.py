"""The ``tensorseed`` command: serve, and what the service does without a server."""

import json
import os
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table
from rich.text import Text

import service
from service.backends import kernel
from service.catalogue import framework as names_of
from service.catalogue import model_schemes
from service.catalogue import schemes as catalogue
from service.errors import InvalidRecipe, TensorseedError
from service.native import PATHS
from service.output import write
from service.plan import Plan
from service.recipe import Recipe
from service.schemes import FRAMEWORKS
from service.settings import PREFIX, Settings

_SHOW_PROGRESS_FROM = 32 * 2**20


class _Reported(click.Group):
    """Says what is wrong in the tree's words, on stderr, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was chosen."""
        try:
            return super().invoke(ctx)
        except InvalidRecipe as error:
            for problem in error.problems:
                click.echo(f"{problem.pointer or '/'}: {problem.detail}", err=True)
        except ValidationError as error:
            for entry in error.errors():
                name = str(entry["loc"][0]) if entry["loc"] else "settings"
                click.echo(f"{name} ({PREFIX}{name.upper()}): {entry['msg']}", err=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (TensorseedError, OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
            click.echo(f"tensorseed: {error}", err=True)
        sys.exit(1)


@click.group(cls=_Reported, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(service.__version__, prog_name="tensorseed")
def main() -> None:
    """Initial weights from a recipe: the same bytes everywhere and always."""


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, field in reversed(Settings.model_fields.items()):
        option = click.option(
            f"--{name.replace('_', '-')}",
            name,
            metavar="VALUE",
            help=f"{field.description} [{PREFIX}{name.upper()}]",
        )
        command = option(command)
    return command


@main.command()
@_settings_options
def serve(**flags: str | None) -> None:
    """Serve over HTTP."""
    import uvicorn  # noqa: PLC0415 - the other commands start without a web server

    _exit_on_termination(0)  # a drained server has done what it was asked
    given = {name: value for name, value in flags.items() if value is not None}
    settings = Settings(**given)  # type: ignore[arg-type]
    kernel(settings.kernel)  # or a word here, instead of workers that die and are replaced
    os.environ.update(settings.environment())  # workers are new processes
    uvicorn.run(
        "service.web.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        root_path=settings.root_path,
        log_level=settings.log_level,
        timeout_graceful_shutdown=settings.drain_timeout,
        server_header=False,
    )


@main.command()
@click.argument("recipe", type=click.File("rb"))
@click.option("-o", "--output", required=True, help="File to write; - is standard output.")
def generate(recipe: BinaryIO, output: str) -> None:
    """Write the safetensors file of RECIPE (- is standard input)."""
    _exit_on_termination(128 + signal.SIGTERM)  # by way of clean-up: no part of a file is left
    _, plan = _compiled(recipe)
    pipeline = Settings().pipeline()
    with _progress(plan, "generating") as advance:
        if output == "-":
            write(plan, sys.stdout.buffer, advance, pipeline)
        else:
            service.save_file(plan, output, advance, pipeline)


@main.command()
@click.argument("recipe", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print what POST /v1/plan answers.")
def plan(recipe: BinaryIO, *, as_json: bool) -> None:
    """Explain RECIPE (- is standard input) without generating anything."""
    parsed, compiled = _compiled(recipe)
    explained = service.explain(parsed, compiled)
    if as_json:
        click.echo(json.dumps(explained, indent=2, ensure_ascii=False))
        return
    rows = [
        (
            row["name"],
            row["dtype"],
            str(list(row["shape"])),
            row["scheme"],
            row["distribution"],
            f"{row['mean']:.6g}",
            f"{row['std']:.6g}",
        )
        for row in explained["tensors"]
    ]
    _print_table(("tensor", "dtype", "shape", "scheme", "law", "mean", "std"), rows)
    click.echo(
        f"{len(rows)} tensors, {explained['total_parameters']:,} parameters,"
        f" {explained['total_bytes']:,} bytes, ETag {explained['etag']}"
    )
    for warning in explained["warnings"]:
        click.echo(f"warning: {warning}", err=True)


@main.command()
@click.argument("recipe", type=click.File("rb"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(recipe: BinaryIO, file: Path) -> None:
    """Check that FILE holds what RECIPE makes; say which tensor differs first."""
    _, plan = _compiled(recipe)
    with _progress(plan, "verifying") as advance:
        verdict = service.verify(plan, file, advance, Settings().pipeline())
    click.echo(f"{click.format_filename(file)}: {verdict.detail}")
    if not verdict.matches:
        sys.exit(1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print what GET /v1/schemes answers.")
@click.option("--framework", type=click.Choice(list(FRAMEWORKS)), help="Only what it calls them.")
def schemes(*, as_json: bool, framework: str | None) -> None:
    """List the schemes that a recipe may name."""
    if framework is not None:
        _print_framework(names_of(framework), as_json=as_json)
        return
    if as_json:
        listed = {"schemes": catalogue(), "model_schemes": model_schemes()}
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    rows = [
        (
            entry["name"],
            entry["formula"],
            ", ".join(entry["parameters"]),
            ", ".join(entry["aliases"]),
        )
        for entry in catalogue()
    ]
    rows += [
        (f"model_scheme {entry['name']}", entry["formula"], ", ".join(entry["parameters"]), "")
        for entry in model_schemes()
    ]
    _print_table(("scheme", "formula", "parameters", "also called"), rows)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print names and values only, as JSON.")
def config(*, as_json: bool) -> None:
    """Print the settings in force here, and how to set each."""
    settings = Settings()
    if as_json:
        click.echo(json.dumps(settings.model_dump(mode="json"), indent=2))
        return
    computes = f"Values are computed by the kernel {kernel(settings.kernel).name}"
    rows = [
        (name, str(getattr(settings, name)), PREFIX + name.upper(), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    _print_table(("setting", "value", "variable", "what"), rows)
    click.echo(f"{computes}{'' if PATHS else ': no C compiler was found when this was installed'}.")


def _print_framework(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = [
        (name, json.dumps(entry["init"]), entry["note"] or "")
        for name, entry in found["names"].items()
    ]
    rows += [(name, "", why) for name, why in found["unmapped"].items()]
    _print_table((found["title"], "object", "note"), rows)


def _compiled(recipe: BinaryIO) -> tuple[Recipe, Plan]:
    limits = Settings()
    parsed = service.parse(recipe.read(), limits)
    return parsed, service.compile(parsed, limits)


def _exit_on_termination(status: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(status))


def _print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*(Column(name, overflow="fold") for name in columns))  # names stay whole
    for row in rows:
        table.add_row(*map(Text, row))
    # Piped, a table is as wide as it needs to be: a program reads it, not a screen.
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)


@contextmanager
def _progress(plan: Plan, what: str) -> Iterator[Callable[[int], object] | None]:
    if plan.nbytes < _SHOW_PROGRESS_FROM or not sys.stderr.isatty():
        yield None
        return
    columns = (what, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=plan.nbytes)
        yield lambda size: progress.advance(task, size)
