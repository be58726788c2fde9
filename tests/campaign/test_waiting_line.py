from hypothesis import given
from hypothesis import strategies as st

from dataeff_al.campaign.line import Line


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef")), max_size=60), st.integers(0, 8))
def test_a_line_is_a_list_of_those_who_came_and_did_not_leave(moves, n):
    line, listed = Line(), []
    for joins, name in moves:
        line = line.join(name) if joins else line.leave(name)
        if joins and name not in listed:
            listed.append(name)
        elif not joins and name in listed:
            listed.remove(name)
        assert line.first(n) == tuple(listed[:n])
        assert len(line) == len(listed)
        assert all((one in line) == (one in listed) for one in "abcdef")


def test_a_line_is_a_value():
    before = Line().join("a")
    before.join("b").leave("a")
    assert before.first(9) == ("a",)
