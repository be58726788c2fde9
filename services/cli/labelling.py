"""One labeler, directly, on a file of samples: ``label``."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.options import AsJson, Plugins

if TYPE_CHECKING:
    from services.direct import Answers

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the labeler; may be given several times."),
]
Source = Annotated[Path, typer.Option("--in", metavar="X.npz", help="The samples.")]
Out = Annotated[Path, typer.Option("--out", metavar="Y.npz", help="Where to write the labels.")]
Pictures = Annotated[Path | None, typer.Option("--plot", metavar="DIR", help="Draw the answers as PNG here.")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(label)


def label(
    labeler: Annotated[str, typer.Argument(help="The labeler's name; `plugins` lists them.")],
    source: Source,
    out: Out,
    settings: Settings = None,
    plot: Pictures = None,
    plots: Annotated[int, typer.Option("--plots", min=1, max=1000, help="How many to draw at most.")] = 24,
    with_samples: Annotated[bool, typer.Option("--with-samples", help="Write the samples beside the labels.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="For labelers that draw random numbers.")] = 0,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> int:
    """Label a file of samples with one labeler, without a campaign.

    Samples without a label are told on stderr and stand as missing answers. Ends with 1 when none could be labelled.
    """
    from services import direct
    from services.cli.files import load_plugins
    from services.runtime import Settings as Surroundings
    from services.runtime import one_thread_each

    one_thread_each()
    load_plugins(plugins or ())
    part = direct.labeler_part(labeler, settings or ())
    pool = direct.read_pool(part, source)
    direct.check_writable(out)
    if plot is not None:
        direct.make_folder(plot)
    built, answers = direct.prepare(part, pool, Surroundings.from_environment().data_root, seed)
    try:
        direct.ask_all(built, answers, _say)
    finally:
        # Labels cost money: what was answered before an interruption is kept.
        if answers.outcomes:
            direct.write_answers(out, answers, with_samples=with_samples)
    if plot is not None:
        direct.draw_answers(plot, built, answers, plots, _say)
    return _tell(answers, out, as_json)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _tell(answers: "Answers", out: Path, as_json: bool) -> int:
    count, total = sum(label is not None for label in answers.labels), len(answers.requests)
    if as_json:
        typer.echo(json.dumps({"labelled": count, "failed": total - count, "out": str(out)}))
    else:
        typer.echo(f"{count} of {total} samples labelled: {out}")
    return 0 if count else 1
