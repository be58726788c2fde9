"""One campaign of a record beside its model: whether the state, the stored rows and the events are as they must be."""

from collections import Counter

from dataeff_al.stores.checks.content import BlobCheck, HoldoutCheck
from dataeff_al.stores.checks.money import MoneyCheck
from dataeff_al.stores.checks.order import LeaseCheck, LifeCheck, NumberCheck
from dataeff_al.stores.checks.protocol import violations

TRY = ("query", "number", "deadline", "state")


class Place:
    """One campaign: its ledger, its model, and the checks that have seen its events."""

    def __init__(self, ledger, model, blobs):
        self.ledger, self.model, self.id, self.told = ledger, model, ledger.state.id, set()
        self.checks = [NumberCheck(), MoneyCheck(), LeaseCheck(), LifeCheck(), HoldoutCheck(), BlobCheck(blobs)]
        self.seen = 0

    def compare(self, store):
        state, model = self.ledger.state, self.model
        for purse, account in state.accounts.items():
            wanted = (model.total[purse], model.reserved(purse), model.spent[purse], model.wasted[purse])
            assert (account.total, account.reserved, account.spent, account.wasted) == wanted
            assert sum(wanted[1:]) <= wanted[0]
        assert (state.status, state.extra, state.infra_streak) == (model.life, model.extra, model.streak)
        assert {(step, *key) for step in ("trained", "evaluated") for key in getattr(state, step)} == model.models
        queries = {name: one.status for name, one in model.queries.items()}
        tries = {name: (one.query, one.number, one.deadline, one.status) for name, one in model.tries.items()}
        assert {name: query.status.value for name, query in state.queries.items()} == queries
        assert {a.id: (a.query, a.number, a.deadline, a.status.value) for a in state.attempts.values()} == tries
        self._compare_rows(store, queries, tries)
        self._look_at_new_events(store)

    def _compare_rows(self, store, queries, tries):
        """The stored tables say what the model says, and the ledger's rows add up to the model's money."""
        rows, model = lambda table: store.rows(table, self.id), self.model
        assert {row["query"]: row["state"] for row in rows("queries")} == queries
        stored = {row["attempt"]: tuple(row[name] for name in TRY) for row in rows("attempts")}
        assert stored == tries
        assert [row["state"] for row in rows("campaigns")] == [model.life]
        sums = Counter()
        for row in rows("entries"):
            sums[row["kind"], row["account"]] += row["amount"]
        for purse in model.total:
            assert (sums["POST", purse], sums["WASTE", purse]) == (model.spent[purse], model.wasted[purse])
        assert sum(sums[kind, purse] for kind in ("EXTRA", "OVERRUN") for purse in model.total) == model.extra

    def _look_at_new_events(self, store):
        new = list(store.read(self.id, self.seen))
        self.seen += len(new)
        assert self.seen == self.ledger.state.n
        for check in self.checks:
            assert violations(check, new) == []
