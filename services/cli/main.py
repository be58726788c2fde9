"""``dataeff-al``: the one door for people and scripts.

A group of commands is a module of this folder with a function ``add_to(app)``, named in ``_GROUPS``. At its top it
imports typer and the standard library only; what a command needs is imported inside the command, so that help stays
fast and a client machine needs no engine. A command returns its exit code (None is 0) and raises errors of
:mod:`dataeff_al.errors`, which become one sentence on stderr here.
"""

import logging
import os
import sys
from collections.abc import Sequence

import typer

from services.cli import answering, checking, installation, labeler_service, labelling, models, running, service
from services.cli.failures import exit_code_of
from services.runtime import Settings, arm_failpoints

_GROUPS = (running, service, checking, labelling, labeler_service, answering, models, installation)
# typer swallows Ctrl-C and hands this code on instead.
_TYPER_INTERRUPTED = 130


def build_app() -> typer.Typer:
    """The application with every group of commands."""
    app = typer.Typer(
        name="dataeff-al",
        help="Active learning with pluggable labelers, for people whose labels are expensive.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback(invoke_without_command=True)(_root)
    for group in _GROUPS:
        group.add_to(app)
    return app


def _root(
    context: typer.Context,
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks."),  # noqa: ARG001 - read by run() beforehand
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; ``--debug`` may stand anywhere before ``--``."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(given))


def _register_file() -> None:
    programs = Settings.from_environment().programs
    if programs is not None:
        from services.registering import register_file

        register_file(programs)
        # Actors of a local Ray inherit it, and work in another folder.
        os.environ["DATAEFF_PROGRAMS"] = str(programs.resolve())


def run(given: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    options = list(given[: given.index("--")] if "--" in given else given)
    debug = "--debug" in options
    if debug:
        logging.basicConfig(format="%(name)s: %(message)s")
        logging.getLogger("dataeff_al").setLevel(logging.INFO)
    rest = [argument for argument in options if argument != "--debug"] + list(given[len(options) :])
    try:
        arm_failpoints()
        _register_file()
        code = build_app()(rest, prog_name="dataeff-al", standalone_mode=False)
        sys.stdout.flush()
        if code == _TYPER_INTERRUPTED:
            raise KeyboardInterrupt
    except BaseException as error:
        return exit_code_of(error, debug)
    return code if isinstance(code, int) else 0
