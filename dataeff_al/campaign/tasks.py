"""What a worker is asked to do, as plain JSON made from the state alone: the same state asks the same, by digest."""

from typing import Any

from dataeff_al.campaign.state import QueryState, Role, State
from dataeff_al.events import Purpose, account_of

Task = dict[str, Any]


def _base(state: State) -> Task:
    assert state.created is not None
    splits = state.pool.splits if state.pool else None
    return {"spec": state.created.spec, "target": state.created.target, "splits": splits}


def _models(state: State) -> Task:
    generator = state.generator
    return {
        "generator": generator.generator if generator else None,
        "latents": generator.latents if generator else None,
    }


def _row(query: QueryState) -> Task:
    return {
        "payload": query.payload,
        "request": query.request,
        "synthesised": query.synthesised,
        "label": query.label,
        "round": query.round,
    }


def prepare_pool(state: State) -> Task:
    """Read the pool and split it."""
    assert state.created is not None
    return {**_base(state), "max_cost": state.created.max_cost}


def fit_generator(state: State) -> Task:
    """Learn the data manifold from the pool."""
    return _base(state)


def propose(state: State, purpose: Purpose, number: int, n: int) -> Task:
    """Choose ``n`` samples for a purpose.

    What is asked before the first round does not depend on what else has been answered by then, so that the task stays
    the same while it waits.
    """
    if purpose != "acquire":
        return _first_proposal(state, purpose, n)
    asked = list(state.of("initial", "acquire"))
    earlier = _earlier(state, number)
    return {
        **_base(state),
        **_models(state),
        "purpose": purpose,
        "round": number,
        "n": n,
        "labelled": [_row(query) for query in asked if query.label is not None],
        "asked": [_row(query) for query in asked if query.label is None],
        "validation": [_row(query) for query in state.labelled("validation")],
        "model": earlier[-1] if earlier else None,
    }


def _earlier(state: State, number: int) -> list[str]:
    """Models of the rounds before, oldest first; a round that brought no label has none."""
    return [state.trained["main", k].model for k in range(number) if ("main", k) in state.trained]


def _first_proposal(state: State, purpose: Purpose, n: int) -> Task:
    assert state.created is not None
    rows: dict[str, list[Task]] = {"labelled": [], "asked": [], "validation": []}
    searches = purpose == "initial" and state.created.spec["initial"].get("sampler") is not None
    models = _models(state) if searches else {}
    about = {"purpose": purpose, "round": 0, "n": n, "most": _most(state, purpose), "model": None}
    return {**_base(state), **models, **about, **rows}


def _most(state: State, purpose: Purpose) -> int | None:
    """What the account still pays for, once some of it was wasted; None: for everything that was planned."""
    account = state.accounts[account_of(purpose)]
    return account.free // state.queries_cost if account.wasted else None


def predict(state: State, model: str, samples: str) -> Task:
    """Use a model on samples that somebody brought."""
    return {**_base(state), "model": model, "samples": samples}


def train(state: State, number: int, role: Role = "main") -> Task:
    """Fit a model to what is labelled so far; for the reference line, to the labelled pool."""
    purposes: tuple[Purpose, ...] = ("reference",) if role == "reference" else ("initial", "acquire")
    earlier = _earlier(state, number) if role == "main" else []
    return {
        **_base(state),
        **_models(state),
        "round": number,
        "role": role,
        "labelled": [_row(query) for query in state.labelled(*purposes)],
        "validation": [_row(query) for query in state.labelled("validation")],
        "previous": earlier[-1] if earlier else None,
        "earlier": earlier,
    }


def evaluate(state: State, number: int, role: Role = "main") -> Task:
    """Measure a model on the validation and the test split."""
    return {
        **_base(state),
        "round": number,
        "role": role,
        "model": state.trained[(role, number)].model,
        "validation": [_row(query) for query in state.labelled("validation")],
        "test": [_row(query) for query in state.labelled("test")],
    }
