import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import fem_peers
from benchmarks.peers.exchange import PeerCase, read_cases, write_cases
from benchmarks.peers.problems import tube
from labelers.fem_stress.stress import first_principal


@pytest.fixture(scope="module")
def ring():
    return tube("linear")


def test_without_an_interpreter_there_is_no_figure_and_a_note_says_why(monkeypatch):
    monkeypatch.delenv(fem_peers.INTERPRETER, raising=False)
    found = fem_peers.compare(fem_peers.FELUPE, 1, 1, 1)
    assert found["figures"] == {"ratio_felupe": None}
    assert "DATAEFF_PEERS_PYTHON must name" in found["notes"][0]


def test_cases_survive_the_way_to_a_peer(tmp_path, ring):
    write_cases(tmp_path / "c.npz", [ring.case, replace(ring.case, pressure_kpa=3.0)])
    first, second = read_cases(tmp_path / "c.npz")
    assert second.pressure_kpa == 3.0
    for name in ("nodes", "shear_kpa", "bulk_kpa"):
        np.testing.assert_array_equal(getattr(first, name), getattr(ring.case, name))


def test_a_peer_solves_the_case_that_it_was_given_and_its_time_is_counted(ring):
    (answer,), versions = fem_peers.ask("scikit_fem_peer", "constant pressure", sys.executable, [ring])
    assert not answer.reason
    assert 1e-3 < answer.cpu_s < 100
    assert "scikit-fem" in versions
    assert ring.error(answer.points, first_principal(answer.stress)) < 1e-3
    assert ring.own_error < 1e-4


def test_a_case_that_a_peer_cannot_solve_has_a_reason_and_no_rate(ring):
    class Broken:
        case = PeerCase(ring.case.nodes, ring.case.shear_kpa[:3], ring.case.bulk_kpa, 1.0)

    answers, _ = fem_peers.ask("scikit_fem_peer", "displacement", sys.executable, [ring, Broken()])
    assert answers[0].reason == ""
    assert "Error" in answers[1].reason
    assert fem_peers.labels_per_cpu_s(answers) is None


@pytest.mark.parametrize(
    ("ways", "ratio", "like"),
    [
        ({"displacement": (5.0, 0.5), "constant pressure": (2.0, 0.015)}, 20.0, 50.0),
        ({"displacement": (None, None), "constant pressure": (4.0, 0.5)}, 25.0, None),
    ],
)
def test_a_ratio_counts_the_fastest_way_and_like_error_only_ways_that_are_near(ways, ratio, like):
    theirs = [fem_peers.Measured(way, rate, [0.0, error]) for way, (rate, error) in ways.items()]
    figures = fem_peers.figures_of("scikit_fem", fem_peers.SCIKIT_FEM, 100.0, 0.01, theirs)
    assert figures["ratio_scikit_fem"] == ratio
    assert figures["ratio_scikit_fem_like_error"] == like
