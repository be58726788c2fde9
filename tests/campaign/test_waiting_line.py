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


@given(st.lists(st.sampled_from("abcdef"), max_size=4), st.lists(st.sampled_from("abcdef"), max_size=9))
def test_many_join_as_one_after_the_other_would(before, names):
    line = Line()
    for name in before:
        line = line.join(name)
    one_by_one = line
    for name in names:
        one_by_one = one_by_one.join(name)
    assert line.join_all(names) == one_by_one


def test_a_line_is_a_value():
    before = Line().join("a")
    before.join("b").leave("a")
    assert before.first(9) == ("a",)
