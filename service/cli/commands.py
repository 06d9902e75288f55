"""The ``tensorseed`` command: serve, and what the service does without a server."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
from pydantic import ValidationError

import service
from service.backends import backend, cpu_backend
from service.catalogue.listing import framework as names_of
from service.catalogue.listing import model_schemes
from service.catalogue.listing import schemes as catalogue
from service.catalogue.schemes import FRAMEWORKS
from service.checkpoint.files import Cut, checkpoint
from service.checkpoint.save import save_checkpoint, write
from service.cli.analysis import analyse, calibrate
from service.cli.remote import pull, push, url
from service.cli.terminal import exit_on_termination, print_table, progress
from service.errors import InvalidRecipe, TensorseedError
from service.keys import SCOPES, create_key
from service.native import PATHS
from service.plan import Plan
from service.recipe import Recipe
from service.settings import PREFIX, Settings


class _Group(click.Group):
    """Reports errors on stderr, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command."""
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
        except (TensorseedError, OSError, ValueError) as error:
            click.echo(f"tensorseed: {error}", err=True)
        sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
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
    from service.web import server  # noqa: PLC0415 - the other commands start without one

    exit_on_termination(0)  # a drained server ended as intended
    given = {name: value for name, value in flags.items() if value is not None}
    settings = Settings(**given)  # type: ignore[arg-type]
    # Report errors in these here, instead of starting workers that end at once.
    backend(settings.backend, settings.kernel)
    settings.known_keys()
    settings.registry().close()
    os.environ.update(settings.environment())  # workers are new processes
    server.serve(settings)


def _cut(_: click.Context, __: click.Parameter, value: str | None) -> Cut | None:
    try:
        return None if value is None else Cut.model_validate({"shard_size": value})
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"]) from None


_donor_option = click.option(
    "--donor",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A safetensors file; tensors with its names and shapes are copied from it.",
)


def _check_folder(output: str) -> None:
    if output == "-":
        raise click.UsageError("with --shard-size the output is a folder")


@main.command()
@click.argument("recipe", type=click.File("rb"))
@click.option("-o", "--output", required=True, help="File to write; - is standard output.")
@click.option(
    "--shard-size",
    "cut",
    metavar="SIZE",
    callback=_cut,
    help="Write a folder instead: files of at most SIZE bytes (5GB, 500MB, 1GiB or a number), with"
    " their index, recipe.json and config.json.",
)
@_donor_option
def generate(recipe: BinaryIO, output: str, cut: Cut | None, donor: Path | None) -> None:
    """Write the safetensors file of RECIPE (- is standard input)."""
    exit_on_termination(128 + signal.SIGTERM)  # through clean-up, so no partial file is left
    if cut is not None:
        _check_folder(output)
    with _planned(recipe, donor) as (parsed, plan):
        _write(parsed, plan, output, cut)


def _write(parsed: Recipe, plan: Plan, output: str, cut: Cut | None) -> None:
    settings = Settings()
    pipeline = settings.pipeline()
    if cut is not None:
        files = checkpoint(parsed, plan, cut, settings)
        total = sum(file.nbytes for file in files.files.values())
        with progress(total, "generating") as advance:
            save_checkpoint(files, output, advance, pipeline)
        return
    with progress(plan.nbytes, "generating") as advance:
        if output == "-":
            write(plan, sys.stdout.buffer, advance, pipeline)
        else:
            service.save_file(plan, output, advance, pipeline)


@main.command()
@click.argument("recipe", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print what POST /v1/plan answers.")
@_donor_option
def plan(recipe: BinaryIO, *, as_json: bool, donor: Path | None) -> None:
    """Explain RECIPE (- is standard input) without generating anything."""
    with _planned(recipe, donor) as (parsed, compiled):
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
            *(_copied_columns(row) if row["scheme"] == "donor" else _drawn_columns(row)),
        )
        for row in explained["tensors"]
    ]
    print_table(("tensor", "dtype", "shape", "scheme", "law", "mean", "std"), rows)
    click.echo(
        f"{len(rows)} tensors, {explained['total_parameters']:,} parameters,"
        f" {explained['total_bytes']:,} bytes, ETag {explained['etag']}"
    )
    for warning in explained["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    if found := explained["donor"]:
        click.echo(
            f"{found['tensors_copied']} tensors, {found['bytes_copied']:,} bytes, are copied;"
            f" {found['tensors_unused']} of the donor's are not used"
        )
        for entry in found["unused"]:
            click.echo(f"not used: {entry['name']!a}: {entry['why']}")


def _drawn_columns(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["distribution"], f"{row['mean']:.6g}", f"{row['std']:.6g}"


def _copied_columns(row: dict[str, Any]) -> tuple[str, str, str]:
    held = row["donor_dtype"]
    return "" if held == row["dtype"] else f"cast from {held}", "", ""


@main.command()
@click.argument("recipe", type=click.File("rb"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(recipe: BinaryIO, file: Path) -> None:
    """Check that FILE holds the tensors of RECIPE; name the first that differs."""
    _, plan = _compiled(recipe)
    with progress(plan.nbytes, "verifying") as advance:
        verdict = service.verify(plan, file, advance, Settings().pipeline())
    click.echo(f"{click.format_filename(file)}: {verdict.detail}")
    if not verdict.matches:
        sys.exit(1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print what GET /v1/schemes answers.")
@click.option(
    "--framework", type=click.Choice(list(FRAMEWORKS)), help="Only the names of this framework."
)
def schemes(*, as_json: bool, framework: str | None) -> None:
    """List the schemes that a recipe can use."""
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
    print_table(("scheme", "formula", "parameters", "also called"), rows)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print names and values only, as JSON.")
def config(*, as_json: bool) -> None:
    """Print the settings in effect, and how to set each."""
    settings = Settings()
    if as_json:
        click.echo(json.dumps(settings.model_dump(mode="json"), indent=2))
        return
    chosen = cpu_backend(backend(settings.backend, settings.kernel))
    computes = f"Values are computed by the kernel {chosen.name}"
    rows = [
        (name, str(getattr(settings, name)), PREFIX + name.upper(), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    print_table(("setting", "value", "variable", "what"), rows)
    click.echo(f"{computes}{'' if PATHS else ': no C compiler was found when this was installed'}.")


@main.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What it allows: generate (weights and plans), read (files), write (recipes and names).",
)
def key(name: str, scopes: tuple[str, ...]) -> None:
    """Create a key for NAME, and the entry for a server's list of keys."""
    secret, entry = create_key(name, scopes)
    click.echo(f"key    {secret}")
    click.echo(f"entry  {entry}")
    click.echo("The key is shown only now. The entry goes into the server's keys_file.", err=True)


def _print_framework(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = [
        (name, json.dumps(entry["init"]), entry["note"] or "")
        for name, entry in found["names"].items()
    ]
    rows += [(name, "", why) for name, why in found["unmapped"].items()]
    print_table((found["title"], "object", "note"), rows)


def _compiled(recipe: BinaryIO) -> tuple[Recipe, Plan]:
    limits = Settings()
    parsed = service.parse(recipe.read(), limits)
    return parsed, service.compile(parsed, limits)


@contextmanager
def _planned(recipe: BinaryIO, donor: Path | None) -> Iterator[tuple[Recipe, Plan]]:
    """Compile a recipe; the donor, if there is one, stays open for the duration of the block."""
    parsed, plan = _compiled(recipe)
    if donor is None:
        yield parsed, plan
        return
    with service.open_donor(donor, Settings()) as held:
        yield parsed, service.grown(plan, held)


for _command in (analyse, calibrate, push, pull, url):
    main.add_command(_command)
