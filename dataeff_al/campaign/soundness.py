"""Invariants of the record as far as one state shows them: a controller checks them before it goes on from a snapshot.

I1 spent is what the labels cost; I2 reserved is what the open queries may cost; I3 the budget holds; I5 a query has at
most one label that was paid from its reservation; I8 attempts at a query are numbered from 1 without gaps.
"""

from dataeff_al.campaign.state import AttemptStatus, QueryStatus, State
from dataeff_al.events import account_of


def faults(state: State) -> list[str]:
    """What is wrong, one sentence each; empty for a sound state."""
    return [*_money(state), *_attempts(state)]


def _money(state: State) -> list[str]:
    reserved = dict.fromkeys(state.accounts, 0)
    spent = reserved.copy()
    for key in state.live:
        query = state.queries[key]
        reserved[query.account] += query.max_cost
    for query in state.queries.values():
        if query.status is QueryStatus.LABELLED:
            spent[account_of(query.purpose)] += query.cost
    found = []
    for name, account in state.accounts.items():
        if account.spent != spent[name]:
            found.append(f"I1: {name} spent must be {spent[name]}, but got {account.spent}.")
        if account.reserved != reserved[name]:
            found.append(f"I2: {name} reserved must be {reserved[name]}, but got {account.reserved}.")
        if account.free < 0 or min(account.reserved, account.spent, account.wasted) < 0:
            found.append(f"I3: {name} must stay within its budget, but got {account}.")
    return found


def _attempts(state: State) -> list[str]:
    paid: set[str] = set()
    tries: dict[str, int] = {}
    newest: dict[str, int] = {}
    found = []
    for attempt in state.attempts.values():
        key = attempt.query
        if attempt.status is AttemptStatus.DONE:
            if key in paid or state.queries[key].status is not QueryStatus.LABELLED:
                found.append(f"I5: query {key!r} must have at most one paid label, but got another.")
            paid.add(key)
        tries[key] = tries.get(key, 0) + 1
        newest[key] = max(newest.get(key, 0), attempt.number)
    for key, count in tries.items():
        if not count == newest[key] == state.queries[key].attempts:
            most = state.queries[key].attempts
            found.append(f"I8: attempts at query {key!r} must be numbered from 1 to {most}, but got {count}.")
    return found
