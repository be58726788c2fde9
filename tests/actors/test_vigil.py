import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest

from dataeff_al.errors import NotFoundError, UnavailableError
from services.actors.answers import within
from services.actors.parting import Parting
from services.actors.vigil import MOST_MISSED, Head, OwnProcesses, Vigil


def eventually(holds):
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_process_that_has_ended_is_named_though_nobody_has_reaped_it():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        look = OwnProcesses([("raylet", psutil.Process(process.pid))])
        vigil = Vigil(look)
        assert look() == ""
        process.kill()
        eventually(lambda: vigil.trouble)
        assert vigil.trouble == "the Ray of this run must go on, but got an end of its raylet"
    finally:
        process.kill()
        process.communicate()
    assert look()


def test_a_head_is_lost_when_it_is_silent_several_times_in_a_row_and_not_before():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        look = Head(f"127.0.0.1:{server.getsockname()[1]}")
        assert look() == ""
    said = [look() for _ in range(MOST_MISSED)]
    assert said[:-1] == [""] * (MOST_MISSED - 1)
    assert "must answer at '127.0.0.1:" in said[-1]


def test_a_vigil_that_was_closed_says_nothing_more():
    asked = threading.Event()
    vigil = Vigil(lambda: asked.set() or "")
    assert asked.wait(30)
    vigil.close()
    assert vigil.trouble == ""


def test_a_call_of_the_head_that_hangs_ends_in_our_own_words_and_its_errors_are_passed_on():
    over = threading.Event()
    try:
        with pytest.raises(UnavailableError, match=r"must answer within 0\.1 s, but got no answer"):
            within(0.1, over.wait)
    finally:
        over.set()
    assert within(30, lambda: 7) == 7
    with pytest.raises(TimeoutError, match="its own"):
        within(30, lambda: fail(TimeoutError("its own")))
    with pytest.raises(NotFoundError):
        within(30, lambda: fail(NotFoundError("none")))


def fail(error):
    raise error


def test_what_waits_is_done_once_when_nobody_asks_again_and_never_when_called_off():
    done = []
    parting = Parting(0.2)
    for number in range(3):
        parting.put_off(lambda number=number: done.append(number))
    eventually(lambda: done)
    parting.put_off(lambda: done.append("never"))
    parting.cancel()
    time.sleep(0.4)
    assert done == [2]
