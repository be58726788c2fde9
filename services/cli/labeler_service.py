"""A labeler for campaigns elsewhere: ``serve-labeler``."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import Plugins


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(name="serve-labeler")(serve_labeler)


def serve_labeler(
    labeler: Annotated[str, typer.Argument(help="The labeler's name; `plugins` lists them.")],
    store: Annotated[
        Path, typer.Option("--store", metavar="DIR", help="Holds what is asked and answered until it is taken note of.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the labeler; may be given several times."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 7470,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", metavar="PEM", help="Certificate chain.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="PEM", help="Its private key.")] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="sha256 of every token let in, one a line.")
    ] = None,
    plugins: Plugins = None,
) -> None:
    """Serve one labeler to campaigns elsewhere until SIGTERM or Ctrl-C.

    They ask it with `labeler: {kind: remote}`. Listens on loopback unless TLS and tokens are given.
    """
    from services.cli.files import load_plugins
    from services.runtime import Settings, one_thread_each

    one_thread_each()
    from services.direct import labeler_part
    from services.labeler_service.serving import LabelerService, run_labeler_service
    from services.rpc.access import Binding, read_tokens

    load_plugins(plugins or ())
    tokens = read_tokens(token_file) if token_file else None
    part = labeler_part(labeler, settings or ())
    binding = Binding(host, port, tls_cert, tls_key, tokens)
    run_labeler_service(LabelerService(part, store, Settings.from_environment().data_root, binding))
