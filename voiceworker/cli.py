"""`voiceworker ...`: the commands of the operator."""

from __future__ import annotations

import asyncio
import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from voiceworker.api.keys_command import keys_app
from voiceworker.config import ConfigError, load_settings
from voiceworker.lab.bench.command import bench_app
from voiceworker.lab.call_command import call
from voiceworker.lab.soak_command import soak
from voiceworker.models_command import models
from voiceworker.records.callbacks_command import callbacks
from voiceworker.records.usage_command import usage
from voiceworker.redaction import Redactor, secrets_of
from voiceworker.runtime.route_command import route

app = typer.Typer(
    help="A self-hosted voice agent on LiveKit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(keys_app, name="keys")
app.add_typer(bench_app, name="bench")
app.command(name="call")(call)
app.command(name="soak")(soak)
app.command(name="models")(models)
app.command(name="route")(route)
app.command(name="usage")(usage)
app.command(name="callbacks")(callbacks)


@app.callback(invoke_without_command=True)
def _root(show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if show_version:
        typer.echo(version("voiceworker"))
        raise typer.Exit


@app.command()
def up() -> None:
    """Start everything on this machine: SFU, worker and API with the page. Ctrl-C ends all of it."""
    from voiceworker.stack.log import ReadableLog
    from voiceworker.stack.up import up as run

    settings = load_settings()
    log = ReadableLog(Console(), settings.data_directory / "log", Redactor(secrets_of(settings)))
    try:
        raise typer.Exit(asyncio.run(run(settings, log)))
    finally:
        log.close()


@app.command()
def prepare() -> None:
    """Make ahead what the first start would make: the SFU's program, the recogniser's language model. Minutes, once."""
    from voiceworker.runtime.worker import build_engines
    from voiceworker.stack.sfu import find_sfu

    settings = load_settings()
    typer.echo(f"SFU: {find_sfu(settings, typer.echo).origin}")
    build_engines(settings)


@app.command()
def serve() -> None:
    """Run the HTTP API alone."""
    from voiceworker.api.serve import serve as run

    run(load_settings())


def main() -> None:
    """The entry point: a mistake of configuration is one line on standard error and exit status 1."""
    logging.getLogger("voiceworker").addHandler(logging.NullHandler())  # what is wrong is told once, below
    try:
        app()
    except ConfigError as error:
        print(f"voiceworker: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
