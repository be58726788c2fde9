"""What holds for every room: the records that end-to-end tests leave are sound; and how hypothesis may be run."""

import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from dataeff_al.stores.open import RECORD, open_store
from services.checkup import check_record

settings.register_profile("no_shrinking", phases=[Phase.explicit, Phase.generate])

END_TO_END = {"actors", "campaign", "chaos", "cli", "controller", "labelers", "report"}
"""Rooms whose tests make records by running campaigns; those of the stores make broken ones on purpose."""

TRIES, PAUSE_S = 10, 0.3

_UNBOOKED = ("granted", "running", "unknown", "failed")
"""Attempts that may have an invoice without an entry: still at work, waiting for an operator, or ended by an error."""


@pytest.fixture(autouse=True)
def sound_records(request):
    """After a test, every record below its folder keeps all invariants, and accounts for the labelers' invoices."""
    wanted = _is_end_to_end(request) and "tmp_path" in request.fixturenames
    folder = request.getfixturevalue("tmp_path") if wanted else None
    yield
    if folder:
        check_records(folder)


@pytest.fixture(scope="module", autouse=True)
def sound_records_of_the_module(request):
    """After a module, the same holds for the folders that its tests share."""
    if not _is_end_to_end(request):
        yield
        return
    base = request.getfixturevalue("tmp_path_factory").getbasetemp()
    before = set(base.iterdir())
    yield
    for folder in sorted(set(base.iterdir()) - before):
        if not folder.name.startswith("test_"):
            check_records(folder)


def _is_end_to_end(request):
    return request.path.relative_to(Path(__file__).parent).parts[0] in END_TO_END


def check_records(folder):
    """Every record below a folder keeps its invariants, and the invoices beside it are accounted for."""
    found = [path.parent for path in folder.rglob(RECORD) if path.stat().st_size]
    for place in found:
        report = _settled_report(str(place))
        assert report.ok, f"{place}: {report}"
    for invoices in folder.rglob("invoices"):
        if places := [place for place in found if invoices.parent in place.parents]:
            check_invoices(invoices, places)


def _settled_report(place):
    """A record that somebody writes meanwhile is read again; one that is broken stays so."""
    report = check_record(place, rebuild=False)
    for _ in range(TRIES):
        if report.ok:
            break
        time.sleep(PAUSE_S)
        report = check_record(place, rebuild=False)
    return report


def check_invoices(invoices, places):
    """I10: whatever was billed is in the record, and no attempt was billed twice.

    An invoice is an empty file with the attempt's id between dots in its name.
    """
    booked, attempts, free = set(), {}, set()
    for place in places:
        _read(place, booked, attempts, free)
    billed = Counter()
    for path in invoices.iterdir():
        keys = [part for part in path.name.split(".") if part in attempts]
        assert keys, f"{invoices}: whoever is billed must have been granted, but got {path.name}"
        billed[keys[0]] += 1
    for key in set(billed) - free:
        assert billed[key] == 1, f"{invoices}: an attempt must be billed once, but got {key} {billed[key]} times"
        state = attempts[key]
        assert key in booked or state in _UNBOOKED, f"{invoices}: {key} must be booked, but got {state}"


def _read(place, booked, attempts, free):
    """Ids of attempts that an entry books, the state of each, and those of labelers whose calls are free."""
    store = open_store(place, writer=False)
    try:
        for campaign in store.campaigns():
            booked |= {row["subject"] for row in store.rows("entries", campaign)}
            known = {row["attempt"]: row["state"] for row in store.rows("attempts", campaign)}
            attempts |= known
            created = next(iter(store.read(campaign))).event
            if created.spec["labeler"].get("effect", "pure") == "pure":
                free.update(known)
    finally:
        store.close()
