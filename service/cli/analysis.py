"""The commands for signal propagation: ``analyse`` and ``calibrate``."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import click

from service import analysis
from service.cli.terminal import print_bars
from service.container.donor import open_donor
from service.limits import Limits
from service.recipe.strictjson import read
from service.settings import Settings

_ROWS = 17
"""Most layers in a chart on a terminal."""


def _sizes(_: click.Context, __: click.Parameter, text: str | None) -> list[int] | None:
    """Parse a flag's sizes.

    Raises:
        BadParameter: They are not integers.
    """
    try:
        return None if text is None else [int(each) for each in text.split(",")]
    except ValueError:
        raise click.BadParameter("whole numbers with commas between them, as 32,32") from None


def _inits(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> list[Any]:
    """Parse a flag's inits, each a name or an object.

    Raises:
        BadParameter: An object is not JSON.
    """
    try:
        return [json.loads(text) if text.startswith("{") else text for text in texts]
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from None


def _chain_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that describe a chain of layers."""
    options = (
        click.argument("recipe", type=click.File("rb")),
        click.option(
            "--activation", help="Activation after every layer [relu, or the model's own]."
        ),
        click.option("--slope", type=float, help="leaky_relu's slope below zero [0.01]."),
        click.option("--residual-scale", type=float, help="Factor of residual branches [1]."),
        click.option(
            "--size", callback=_sizes, help="Image size before convolutions, as 32,32 [32 an axis]."
        ),
        click.option("--variance", type=float, help="Variance of the input [1]."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_chain_options
@click.option(
    "--compare",
    multiple=True,
    metavar="INIT",
    callback=_inits,
    help="An init to compare with, as a name or JSON.",
)
@click.option("--measure", is_flag=True, help="Also pass a batch through the generated weights.")
@click.option("--batch", type=int, default=64, help="Examples in that batch [64].")
@click.option("--seeds", type=int, default=1, help="Number of networks to measure [1].")
@click.option("--json", "as_json", is_flag=True, help="Print what POST /v1/analysis answers.")
def analyse(
    recipe: BinaryIO, *, compare: list[Any], measure: bool, as_json: bool, **stated: Any
) -> None:
    """Show what the layers of RECIPE (- is standard input) do to signals and gradients."""
    batch, seeds = stated.pop("batch"), stated.pop("seeds")
    asked = _chain(stated) | {"compare": compare}
    if measure:
        asked["measure"] = {"batch": batch, "seeds": seeds}
    settings = Settings()
    found = analysis.analyse(_request(recipe, asked, settings), settings, settings.pipeline())
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for curve in found["curves"]:
        click.echo(f"\n{curve['label']}: {curve['verdict']}")
        print_bars(("layer", "log10 variance", "log10 gradient²"), _bars(found, curve))


def _bars(found: dict[str, Any], curve: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return rows for a terminal: at most `_ROWS` layers, evenly spaced, with first and last."""
    series = curve["measured"] or curve["theory"]
    ln_10 = math.log(10)
    stream = [index for index, layer in enumerate(found["layers"]) if layer["on_stream"]]
    steps = (round(i * (len(stream) - 1) / (_ROWS - 1)) for i in range(_ROWS))
    rows = [stream[step] for step in sorted(set(steps))]
    return [
        (
            found["layers"][row]["name"],
            *(
                None if (value := series[name][row]) is None else value / ln_10
                for name in ("ln_q", "ln_gradient")
            ),
        )
        for row in rows
    ]


@click.command()
@_chain_options
@click.option("--batch", type=int, help="Examples to draw [256].")
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A safetensors file whose single tensor is the batch.",
)
def calibrate(recipe: BinaryIO, *, batch: int | None, data: Path | None, **stated: Any) -> None:
    """Print RECIPE with LSUV's gains: each layer's output has variance 1 on a batch."""
    settings = Settings()
    asked = _chain(stated) | ({} if batch is None else {"batch": batch})
    given = None
    if data is not None:
        with open_donor(data, settings) as donor:
            given = analysis.batch_of(donor, settings)
    text = _request(recipe, asked, settings)
    found = analysis.calibrate(text, settings, settings.pipeline(), given)
    click.echo(json.dumps(found["recipe"], indent=2, ensure_ascii=False))
    for layer in found["layers"]:
        click.echo(f"{layer['name']}: std {layer['std']:.6g}, gain {layer['gain']:g}", err=True)


def _chain(stated: dict[str, Any]) -> dict[str, Any]:
    """Return the flags that describe a chain, as members of a request."""
    given = {name: value for name, value in stated.items() if value is not None}
    asked: dict[str, Any] = {}
    if of_input := {name: given[name] for name in ("size", "variance") if name in given}:
        asked["input"] = of_input
    if "residual_scale" in given:
        asked["residual_scale"] = given["residual_scale"]
    if "activation" in given or "slope" in given:
        asked["activation"] = {"name": given.get("activation", "relu")}
    if "slope" in given:
        asked["activation"]["negative_slope"] = given["slope"]
    return asked


def _request(recipe: BinaryIO, asked: dict[str, Any], limits: Limits) -> bytes:
    """Return a request that contains the recipe's text unchanged, so JSON Pointers fit it.

    Raises:
        RecipeTooLarge: More text than ``max_body_bytes``.
        MalformedRecipe: It is not one JSON document.
        InvalidRecipe: An object in it has too many members.
    """
    text = recipe.read()
    read(text, limits)
    members = [f', "{name}": {json.dumps(value)}'.encode() for name, value in asked.items()]
    return b'{"recipe": ' + text + b"".join(members) + b"}"
