"""Answering a campaign's queries from outside, in its run folder or at a controller: ``ask``, ``tell``."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.options import AsJson, Plugins, Run, Target

if TYPE_CHECKING:
    from services.remote import Asked


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(ask)
    app.command()(tell)


def ask(
    run: Run,
    out: Annotated[Path, typer.Option("--out", metavar="Q.npz", help="Where to write the samples.")],
    n: Annotated[int, typer.Option("-n", "--number", min=1, max=100_000, help="Queries to lease at most.")] = 1,
    again: Annotated[bool, typer.Option("--again", help="Those that are leased already, instead of new ones.")] = False,
    target: Target = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Lease queries of a campaign and write their samples to a file.

    Answers go back by `tell`, in an npz file with the same `id`.
    """
    from services.direct import check_writable

    check_writable(out)
    with _campaign(run, target, plugins) as campaign:
        questions = campaign.leased() if again else campaign.ask(n)
        if questions:
            campaign.write_questions(out, questions)
        status = campaign.status
        if as_json:
            typer.echo(json.dumps({"asked": len(questions), "status": status.status, "out": str(out)}))
        elif not questions:
            typer.echo(f"No query waits for an answer. {status}")
        else:
            typer.echo(f"{len(questions)} queries: {out}")
            if campaign.instructions:
                typer.echo(campaign.instructions)
            where = f"{run} --target {target}" if target else run
            typer.echo(f"Bring answers with: dataeff-al tell {where} --in FILE.npz, holding {_wanted(campaign)}")


def tell(
    run: Run,
    source: Annotated[Path, typer.Option("--in", metavar="ANSWERS.npz", help="The answers.")],
    target: Target = None,
    plugins: Plugins = None,
    as_json: AsJson = False,
) -> None:
    """Bring answers to leased queries, then let the campaign go on as far as they allow.

    Rows of nothing but -1 (classes), 255 (masks) or NaN are no answers yet.
    """
    with _campaign(run, target, plugins) as campaign:
        told = campaign.tell_file(source)
        status = campaign.status
    if as_json:
        typer.echo(json.dumps({"told": told.labels, "repeated": told.repeated, "status": status.status}))
    else:
        typer.echo(f"{told.labels} new answers, {told.repeated} known before. {status}")


@contextmanager
def _campaign(run: str, target: str | None, plugins: list[Path] | None) -> "Iterator[Asked]":
    """The campaign at its controller; or in its folder, driven here."""
    from services.runs import controlled
    from services.runtime import Settings

    surroundings = Settings.from_environment()
    with controlled(run, target, surroundings) as found:
        if found is not None:
            from services.remote import RemoteCampaign

            yield RemoteCampaign(*found)
            return
    with _folder(Path(run), surroundings.data_root, plugins) as campaign:
        yield campaign


def _folder(run: Path, data_root: Path | None, plugins: list[Path] | None) -> "AbstractContextManager[Asked]":
    from services.runtime import one_thread_each

    one_thread_each()
    from dataeff_al.campaign.notebook import Campaign
    from dataeff_al.campaign.run_folder import RunFolder

    # A folder alone is meant here: a campaign file would start a new run.
    return Campaign(RunFolder(run).folder, data_root=data_root, plugins=plugins or ())


def _wanted(campaign: "Asked") -> str:
    """What a file of answers must hold, in words."""
    target = campaign.target
    shape = ", ".join(map(str, ("n", *target.shape))) + ("" if target.shape else ",")
    names = ", ".join(target.classes or target.channels)
    return f"id (n,) and {target.name} ({shape}): {names}" if names else f"id (n,) and {target.name} ({shape})"
