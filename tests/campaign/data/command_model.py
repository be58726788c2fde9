"""What the commands of a campaign must do, in plain numbers and words: knows neither events nor the code's rules.

A method that stands for a command which must be refused raises the error that the record must raise.
"""

from collections import Counter
from dataclasses import dataclass

from dataeff_al.errors import BudgetError, StateError

MOST, LEASE_S, TRIES, STREAK = 3, 10.0, 3, 5
LIVE, OPEN = ("proposed", "leased", "outcome_unknown"), ("granted", "running")


@dataclass
class Asked:
    purse: str
    status: str = "proposed"
    tries: int = 0
    cost: int = 0


@dataclass
class Try:
    query: str
    number: int
    deadline: float
    status: str = "granted"
    booked: int = 0
    told: bool = False


class Model:
    """One campaign. Queries hold MOST of their purse until they are answered or given up."""

    def __init__(self, total, evaluation=0):
        self.total = {"queries": total, "evaluation": evaluation}
        self.spent, self.wasted, self.extra, self.streak = Counter(), Counter(), 0, 0
        self.queries, self.tries, self.done, self.models = {}, {}, set(), set()
        self.paused, self.over = False, ""

    @property
    def life(self):
        return self.over or ("paused" if self.paused else "running")

    @property
    def ended(self):
        return self.over in ("finished", "cancelled")

    def reserved(self, purse):
        return MOST * sum(query.status in LIVE and query.purse == purse for query in self.queries.values())

    def free(self, purse):
        return self.total[purse] - self.reserved(purse) - self.spent[purse] - self.wasted[purse]

    def ones(self, *statuses):
        return sorted(name for name, one in {**self.queries, **self.tries}.items() if one.status in statuses)

    def propose(self, key, n, purse, names):
        if self.over or key in self.done:
            assert not names
            return
        if MOST * n > self.free(purse):
            raise BudgetError
        assert len(names) == n
        self.done.add(key)
        self.queries |= {name: Asked(purse) for name in names}

    def lease(self, wanted, now, names):
        if self.life != "running" or any(self.queries[one].status != "proposed" for one in wanted):
            raise StateError
        for one, name in zip(wanted, names, strict=True):
            query = self.queries[one]
            query.status, query.tries = "leased", query.tries + 1
            self.tries[name] = Try(one, query.tries, now + LEASE_S)

    def tell(self, name, cost):
        one = self.tries[name]
        query = self.queries[one.query]
        if one.status in ("done", "extra"):
            return
        unpaid, one.told = max(cost - one.booked, 0), True
        if query.status not in LIVE:
            one.status, self.extra = "extra", self.extra + unpaid
            return
        one.status, query.status, query.cost, self.streak = "done", "labelled", min(unpaid, MOST), 0
        self.spent[query.purse] += query.cost
        self.extra += unpaid - query.cost

    def fail(self, name, kind, cost):
        one = self.tries[name]
        holds = one.status in (*OPEN, "unknown")
        if one.status in ("done", "extra"):
            return
        if not (holds and self.queries[one.query].status in LIVE):
            unpaid = max(cost - one.booked, 0)
            self.extra += unpaid
            one.status = "extra" if unpaid else "failed" if holds else one.status
            if holds and not unpaid:
                self.streak = self.streak + 1 if kind == "infra" else 0
            return
        self.waste(one, cost, kind == "refused")
        self.streak = self.streak + 1 if kind == "infra" else 0
        self.paused = self.paused or (not self.over and self.streak >= STREAK)

    def waste(self, one, cost, give_up=False):
        query = self.queries[one.query]
        within = min(cost, MOST)
        broke = within > self.free(query.purse)
        query.status = "dead_letter" if broke or give_up or one.number == TRIES else "proposed"
        self.wasted[query.purse] += within
        self.extra += cost - within
        one.status, one.booked = "failed", one.booked + cost

    def lose(self, name):
        one = self.tries[name]
        if one.status in OPEN:
            one.status, query = "unknown", self.queries[one.query]
            query.status = "outcome_unknown" if query.status == "leased" else query.status

    def settle(self, name, verdict):
        one, cost = self.tries[name], MOST if verdict == "wasted" else 0
        if one.status != "unknown":
            raise StateError
        if self.queries[one.query].status in LIVE:
            return self.waste(one, cost)
        one.status = "extra" if cost else "failed"
        self.extra += cost
        return None

    def renew(self, name, now):
        one = self.tries[name]
        if one.status in OPEN:
            one.status, one.deadline = "running", now + LEASE_S

    def expire(self, name, now):
        one = self.tries[name]
        if one.status not in OPEN or one.deadline > now:
            return
        one.status, query = "expired", self.queries[one.query]
        if query.status == "leased":
            query.status = "dead_letter" if one.number == TRIES else "proposed"

    def withdraw(self, *names):
        for name in names:
            if self.queries[name].status in LIVE:
                self.queries[name].status = "cancelled"

    def learn(self, step, number):
        if not self.ended:
            self.models.add((step, "main", number))

    def broken(self, failure):
        self.paused = self.paused or (failure == "error" and not self.over)

    def inherit(self, parent, bought):
        """A twin's first labels are its parent's, except those of later rounds; its budget pays for them."""
        for name, query in parent.queries.items():
            if query.status == "labelled" and name not in bought:
                self.queries[name] = Asked(query.purse, "labelled", 0, query.cost)
                self.spent[query.purse] += query.cost
        self.done = {key for key in parent.done if key[0] != "acquire"}

    def pause(self):
        if self.over:
            raise StateError
        self.paused = True

    def resume(self):
        if self.over:
            raise StateError
        self.streak = 0 if self.paused else self.streak
        self.paused = False

    def cancel(self):
        if self.over == "finished":
            raise StateError
        if not self.over:
            self.over, self.paused = "cancelling", False
            self.withdraw(*self.ones("proposed", "outcome_unknown"))

    def confirm(self):
        if self.over == "cancelling":
            self.over = "cancelled"
            self.withdraw(*self.queries)

    def conclude(self):
        if self.ones(*LIVE):
            raise StateError
        if not self.ended:
            if self.life != "running":
                raise StateError
            self.over = "finished"

    def extend(self, amount):
        if amount < 1:
            raise BudgetError
        if self.over in ("cancelling", "cancelled"):
            raise StateError
        self.total["queries"] += amount
        self.over = ""
