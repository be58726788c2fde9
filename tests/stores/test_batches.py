from hypothesis import given
from hypothesis import strategies as st

from dataeff_al.stores.batches import batched
from dataeff_al.stores.projections import Insert, Update

names = st.sampled_from(["a", "b", "c"])
inserts = st.builds(
    lambda who, k: Insert("entries", ({"campaign": "c", "subject": who, "n": k},)), names, st.integers()
)
updates = st.builds(
    lambda table, who, key, k: Update(table, {"campaign": "c", table: who}, {key: k}),
    st.sampled_from(["query", "attempt"]),
    names,
    st.sampled_from(["state", "label"]),
    st.integers(),
)
several = st.builds(lambda who: Update("query", {"campaign": "c", "query": tuple(who)}, {"state": 0}), st.lists(names))
campaigns = st.builds(lambda k: Update("campaigns", {"campaign": "c"}, {"state": k}), st.integers())
changes = st.lists(inserts | updates | several | campaigns, max_size=30)


def about(change):
    """Whom a change is about, said in another way than the code does."""
    rows = change.rows if isinstance(change, Insert) else (change.where,)
    found = set()
    for row in rows:
        named = [value for key, value in row.items() if key in ("query", "attempt", "subject")]
        for name in named or ["the campaign"]:
            found |= set(name) if isinstance(name, tuple) else {name}
    return found


@given(changes)
def test_nothing_is_lost_and_whoever_is_concerned_sees_the_same_order(given_):
    made = [change for batch in batched(given_) for change in batch]
    assert sorted(map(repr, made)) == sorted(map(repr, given_))
    for who in ("a", "b", "c", "the campaign"):
        before = [change for change in given_ if who in about(change)]
        assert [change for change in made if who in about(change)] == before


@given(changes)
def test_a_batch_is_one_statement(given_):
    for batch in batched(given_):
        kinds = {(type(change), change.table) for change in batch}
        assert len(kinds) == 1
        if isinstance(batch[0], Update):
            assert len({(tuple(change.where), tuple(change.values)) for change in batch}) == 1
            assert len(batch) == 1 or not any(isinstance(v, tuple) for c in batch for v in c.where.values())


def test_labels_that_have_nothing_to_do_with_each_other_share_their_statements():
    told = [
        change
        for k in range(10)
        for change in (
            Update("attempts", {"campaign": "c", "attempt": f"a{k}"}, {"state": "done"}),
            Update("queries", {"campaign": "c", "query": f"q{k}"}, {"state": "labelled"}),
            Insert("entries", ({"campaign": "c", "subject": f"a{k}"}, {"campaign": "c", "subject": f"q{k}"})),
        )
    ]
    assert [len(batch) for batch in batched(told)] == [10, 10, 10]
