import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.actors.placement import next_node

NODES = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("taken", "turn", "wanted"),
    [
        ([], 0, "a"),
        ([], 1, "b"),
        ([], 5, "c"),
        # The turn is that of a node that has one already.
        (["a"], 0, "b"),
        (["a", "b"], 0, "c"),
        (["a", "b", "c"], 1, "b"),
        # Actors of nodes that are gone, or whose node nobody knows, count for none.
        (["gone", "", "b"], 1, "c"),
    ],
)
def test_of_the_nodes_with_fewest_actors_the_one_whose_turn_it_is(taken, turn, wanted):
    assert next_node(NODES[::-1], taken, turn) == wanted


@given(st.lists(st.sampled_from(["lose", "hire"]), max_size=30), st.integers(0, 5), st.randoms())
def test_however_actors_are_lost_no_node_stays_idle_while_another_has_two(events, turn, random):
    hired = []
    for number, event in enumerate(events):
        if event == "lose" and hired:
            hired.remove(random.choice(hired))
        while len(hired) < len(NODES):
            hired.append(next_node(NODES, hired, turn + number))
        assert sorted(hired) == NODES
