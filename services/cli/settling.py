"""``settle``: an operator's word on attempts of which nobody knows whether they were paid."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.options import AsJson, Run, Target

if TYPE_CHECKING:
    from dataeff_al.campaign.ledger import Ledger
    from dataeff_al.rpc import Client


class Verdict(StrEnum):
    """What became of an attempt."""

    LOST = "lost"
    WASTED = "wasted"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(settle)


def settle(
    run: Run,
    attempt: Annotated[str, typer.Argument(metavar="[ATTEMPT]", help="One attempt; leave it out to list them.")] = "",
    verdict: Annotated[
        Verdict | None,
        typer.Option("--as", help="lost: never paid, and asked again. wasted: paid, and the label is gone."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Settle all of them alike.")] = False,
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """List attempts whose outcome is unknown, or settle them; run the campaign again to go on.

    After a crash, or an error of a labeler that cannot be asked, only its bill says whether an attempt was paid.
    """
    from dataeff_al.errors import DataeffError

    if verdict is None:
        if attempt or every:
            raise DataeffError("what became of the attempt must be given by --as lost or --as wasted, but got neither.")
        _list(run, target, as_json)
        return
    if bool(attempt) == every:
        raise DataeffError("either one attempt or --all must be given, but got both or neither.")
    settled, then = _settle(run, target, attempt, verdict.value)
    typer.echo(json.dumps(settled) if as_json else f"Settled as {verdict.value}: {len(settled)}. {then}")


def _list(run: str, target: str | None, as_json: bool) -> None:
    from services.runs import controlled
    from services.runtime import Settings

    with controlled(run, target, Settings.from_environment()) as found:
        rows = _listed_in(Path(run)) if found is None else _remote(*found)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['attempt']}  {row['campaign']}  {row['purpose']} query {row['payload']}  {row['reason']}")
    if not rows:
        typer.echo("No attempt waits to be settled.")


def _listed_in(folder: Path) -> list[dict[str, str]]:
    from dataeff_al.campaign.run_folder import RunFolder

    with RunFolder(folder).reading() as store:
        return [row for name in store.campaigns() for row in _unknown(_ledger(store, name))]


def _remote(client: "Client", campaign: str) -> list[dict[str, str]]:
    """What the controller says is unknown about a campaign, its twins and repeats."""
    infos = [client.get(name) for name in (campaign, *client.get(campaign).members)]
    return [
        {
            "campaign": info.id,
            "attempt": each.attempt,
            "purpose": each.purpose,
            "payload": each.payload,
            "reason": each.reason,
        }
        for info in infos
        for each in info.unknown
    ]


def _settle(run: str, target: str | None, attempt: str, verdict: Any) -> tuple[list[str], str]:
    """What was settled, and what is to be done next."""
    from dataeff_al.errors import NotFoundError
    from services.runs import controlled
    from services.runtime import Settings

    with controlled(run, target, Settings.from_environment()) as found:
        if found is None:
            settled, then = _settle_in(Path(run), attempt, verdict), "Run again to go on."
        else:
            settled, then = _settle_at(*found, attempt, verdict), "Resume it to go on if it is paused."
    if attempt and not settled:
        raise NotFoundError(f"an attempt must be of unknown outcome to be settled, but got {attempt!r}.")
    return settled, then


def _settle_at(client: "Client", campaign: str, attempt: str, verdict: Any) -> list[str]:
    """A controller tells of so many at a time: it is asked until there are no more."""
    settled: list[str] = []
    while chosen := [row for row in _remote(client, campaign) if attempt in ("", row["attempt"])]:
        for row in chosen:
            client.settle(row["campaign"], row["attempt"], verdict)
            settled.append(row["attempt"])
    return settled


def _settle_in(folder: Path, attempt: str, verdict: Any) -> list[str]:
    from dataeff_al.campaign.commands import Settle
    from dataeff_al.campaign.run_folder import RunFolder
    from dataeff_al.stores.open import open_store

    store, settled = open_store(RunFolder(folder).folder, writer=True), list[str]()
    try:
        for name in store.campaigns():
            ledger = _ledger(store, name)
            chosen = [row["attempt"] for row in _unknown(ledger) if attempt in ("", row["attempt"])]
            ledger.execute_all([Settle(key, verdict) for key in chosen])
            settled.extend(chosen)
    finally:
        store.close()
    return settled


def _ledger(store: Any, name: str) -> "Ledger":
    from dataeff_al.campaign.ledger import Ledger

    return Ledger(store, name)


def _unknown(ledger: "Ledger") -> list[dict[str, str]]:
    from dataeff_al.campaign.state import AttemptStatus

    state = ledger.state
    found = [attempt for attempt in state.attempts.values() if attempt.status is AttemptStatus.UNKNOWN]
    return [
        {
            "campaign": state.id,
            "attempt": attempt.id,
            "purpose": state.queries[attempt.query].purpose,
            "payload": state.queries[attempt.query].payload,
            "reason": attempt.reason,
        }
        for attempt in sorted(found, key=lambda one: one.id)
    ]
