"""The commands that use a remote service: ``push``, ``pull`` and ``url``."""

import re
import signal
from typing import TYPE_CHECKING, BinaryIO

import click

import service
from service.cli.terminal import exit_on_termination, progress
from service.errors import TensorseedError
from service.recipe import Recipe
from service.recipe.link import MAX_LINK, link_of
from service.settings import PREFIX, Settings

if TYPE_CHECKING:
    from service.client.listing import Reference

_HERE = "http://127.0.0.1:8000"


def _url_of(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", value):
        raise click.BadParameter(f"is not a URL such as {_HERE}")
    return value.rstrip("/")


def _name_of(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+", value) or ".." in value:
        raise click.BadParameter("is not NAMESPACE/NAME, of letters, digits, . _ and -")
    return value


def _source_of(_: click.Context, __: click.Parameter, value: str) -> "Reference":
    from service.client.listing import Reference  # noqa: PLC0415

    try:
        return Reference.of(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _link_of(recipe: Recipe) -> str:
    link = link_of(recipe)
    if link is None:
        raise TensorseedError(
            f"the recipe does not fit into the {MAX_LINK:,} characters of a link:"
            " store it with tensorseed push, and use its name"
        )
    return link


_recipe = click.argument("recipe", type=click.File("rb"))
_service = click.option(
    "--url",
    "address",
    envvar=f"{PREFIX}URL",
    default=_HERE,
    callback=_url_of,
    metavar="URL",
    help=f"URL of the service; {_HERE} if left out. [{PREFIX}URL]",
)


@click.command()
@_recipe
@click.argument("name", metavar="NAMESPACE/NAME", callback=_name_of)
@_service
def push(recipe: BinaryIO, name: str, address: str) -> None:
    """Store RECIPE (- is standard input) in a service, and point NAMESPACE/NAME to it."""
    from service.client.push import store  # noqa: PLC0415 - most commands need no network
    from service.client.remote import Remote  # noqa: PLC0415

    with Remote(address) as remote:
        pushed = store(remote, recipe.read(), name)
    click.echo(f"name      {name}\nrevision  {pushed.revision}")
    click.echo(f"recipe    {pushed.recipe_id}\ndownload  {pushed.url}")


@click.command()
@click.argument("source", callback=_source_of)
@click.option("-o", "--output", required=True, help="Folder to write into; made if missing.")
@_service
def pull(source: "Reference", output: str, address: str) -> None:
    """Download the files of SOURCE: NAMESPACE/NAME, NAMESPACE/NAME@REVISION or a recipe's id.

    Continues interrupted downloads, and keeps files that an earlier pull has completed.
    """
    from service.client.listing import listing  # noqa: PLC0415
    from service.client.pull import fetch  # noqa: PLC0415
    from service.client.remote import Remote  # noqa: PLC0415

    exit_on_termination(128 + signal.SIGTERM)
    with Remote(address) as remote:
        found = listing(remote, source)
        with progress(found.nbytes, "pulling") as advance:
            fetch(remote, found, output, advance)
    click.echo(f"{found.title}: {len(found.names)} files, {found.nbytes:,} bytes")


@click.command()
@_recipe
@_service
def url(recipe: BinaryIO, address: str) -> None:
    """Print a URL that contains RECIPE (- is standard input) itself; contacts no service."""
    limits = Settings()
    parsed = service.parse(recipe.read(), limits)
    service.compile(parsed, limits)  # or a URL of nothing
    click.echo(f"{address}/v1/r/{_link_of(parsed)}")
