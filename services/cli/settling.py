"""``settle``: an operator's word on attempts of which nobody knows whether they were paid."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.options import AsJson

if TYPE_CHECKING:
    from dataeff_al.campaign.ledger import Ledger

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.")]


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
    as_json: AsJson = False,
) -> None:
    """List attempts whose outcome is unknown, or settle them; run the campaign again to go on.

    After a crash, or an error of a labeler that cannot be asked, only its bill says whether an attempt was paid.
    """
    from dataeff_al.errors import DataeffError

    if verdict is None:
        if attempt or every:
            raise DataeffError("what became of the attempt must be given by --as lost or --as wasted, but got neither.")
        _list(run, as_json)
        return
    if bool(attempt) == every:
        raise DataeffError("either one attempt or --all must be given, but got both or neither.")
    settled = _settle(run, attempt, verdict.value)
    typer.echo(json.dumps(settled) if as_json else f"Settled as {verdict.value}: {len(settled)}. Run again to go on.")


def _list(run: Path, as_json: bool) -> None:
    from dataeff_al.campaign.run_folder import RunFolder

    with RunFolder(run).reading() as store:
        rows = [row for name in store.campaigns() for row in _unknown(_ledger(store, name))]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['attempt']}  {row['campaign']}  {row['purpose']} query {row['payload']}  {row['reason']}")
    if not rows:
        typer.echo("No attempt waits to be settled.")


def _settle(run: Path, attempt: str, verdict: Any) -> list[str]:
    from dataeff_al.campaign.commands import Settle
    from dataeff_al.campaign.run_folder import RunFolder
    from dataeff_al.errors import NotFoundError
    from dataeff_al.stores.open import open_store

    store, settled = open_store(RunFolder(run).folder, writer=True), list[str]()
    try:
        for name in store.campaigns():
            ledger = _ledger(store, name)
            chosen = [row["attempt"] for row in _unknown(ledger) if attempt in ("", row["attempt"])]
            ledger.execute_all([Settle(key, verdict) for key in chosen])
            settled.extend(chosen)
    finally:
        store.close()
    if attempt and not settled:
        raise NotFoundError(f"an attempt must be of unknown outcome to be settled, but got {attempt!r}.")
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
