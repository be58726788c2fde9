import json
import os
import signal
import threading

import pytest

from dataeff_al.campaign.place import Place
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.errors import ConflictError, NotFoundError, StateError, UnavailableError
from dataeff_al.rpc import Client
from services.cli.main import run
from services.cli.running import exit_code
from services.controller.assembly import inline_hosts
from services.inline import InlineRun
from services.local import CONTROLLER, LocalRun
from services.runs import FolderRuns, controlled, open_run
from services.runtime import Settings


@pytest.fixture(scope="module")
def spec(texts, tmp_path_factory):
    text = texts.quick() + "compare: [{sampler: {kind: margin}}]\n"
    return CampaignSpec.parse(text, tmp_path_factory.mktemp("base"))


@pytest.fixture
def slow(texts, tmp_path):
    return CampaignSpec.parse(texts.slow().replace("total: 10", "total: 40"), tmp_path)


def local(spec, folder, quiet=True):
    return LocalRun(spec, Place(folder, folder.parent, None), inline_hosts, quiet)


@pytest.fixture(scope="module")
def finished(spec, tmp_path_factory):
    """A run through a controller that has come to its end."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return folder, local(spec, folder).run()


def test_a_run_through_the_controller_gives_what_an_inline_run_gives(spec, finished, tmp_path):
    folder, done = finished
    inline = InlineRun(spec, tmp_path / "inline", tmp_path, None, quiet=True).run()
    assert done.summary["digest"] == inline.summary["digest"]
    assert [twin["digest"] for twin in done.summary["twins"]] == [twin["digest"] for twin in inline.summary["twins"]]
    assert exit_code(done.states) == exit_code(inline.states) == 3
    names = {path.name for path in (tmp_path / "inline").iterdir()}
    assert names <= {path.name for path in folder.iterdir()}
    assert not (folder / CONTROLLER).exists()


def test_a_run_tells_the_same_lines_as_an_inline_run(spec, tmp_path, capsys):
    local(spec, tmp_path / "one", quiet=False).run()
    through = [line.partition("(")[0].partition("  about")[0] for line in capsys.readouterr().out.splitlines()]
    InlineRun(spec, tmp_path / "two", tmp_path, None).run()
    inline = [line.partition("(")[0].partition("  about")[0] for line in capsys.readouterr().out.splitlines()]
    # Campaigns of a family go on side by side at a controller, so that only the order of each one's own lines is given.
    for name in (spec.name, f"{spec.name}.margin"):
        told, wanted = (
            [line for line in lines if line.startswith(f"{name}  round") or line.startswith(f"{name}  exhausted")]
            for lines in (through, inline)
        )
        assert told == wanted
        assert len(told) > 3
    assert set(inline) <= set(through)


def test_a_finished_run_is_not_done_again(spec, finished):
    folder, done = finished
    again = local(spec, folder).run()
    assert again.summary["digest"] == done.summary["digest"]
    assert [state.n for state in again.states] == [state.n for state in done.states]


def test_another_campaign_of_that_name_is_refused(spec, finished):
    folder, _ = finished
    with pytest.raises(ConflictError):
        local(spec.model_copy(update={"seed": 99}), folder).run()


def at_work(folder):
    """Whether the run's own controller runs, and has the campaign."""
    try:
        with controlled(str(folder), None, Settings()) as found:
            return found is not None
    except UnavailableError:
        return False


def first_label(folder, name, eventually):
    """Come back when the campaign, asked through the run's own controller, has bought a label."""
    eventually(lambda: folder.is_dir() and at_work(folder))
    with open_run(str(folder), None, Settings()) as (runs, campaign):
        assert isinstance(runs, Client)
        assert campaign == name
        eventually(lambda: runs.get(campaign).queries.spent > 0)


def test_an_interrupted_run_is_paused_and_goes_on(slow, tmp_path, eventually):
    folder = tmp_path / "run"

    def interrupt():
        first_label(folder, slow.name, eventually)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    done = local(slow, folder).run()
    thread.join()
    assert exit_code(done.states) == 4
    assert done.summary["status"] == "paused"
    assert "interrupted" in done.states[0].paused.reason
    again = local(slow, folder).run()
    assert again.summary["status"] == "finished"
    assert again.summary["cost"]["spent"] == 40


def test_a_run_that_cannot_be_trained_ends_with_its_error(spec, tmp_path, monkeypatch):
    monkeypatch.setattr("services.controller.families.write_outcome", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        local(spec, tmp_path / "run").run()


def test_a_folder_at_rest_can_be_looked_at_and_changed(spec, finished, tmp_path):
    folder, done = finished
    runs = FolderRuns(folder)
    info = runs.get(spec.name)
    assert (info.status, info.outcome, info.members) == ("finished", "exhausted", (f"{spec.name}.margin",))
    events = list(runs.watch(spec.name))
    assert len(events) == sum(state.n for state in done.states)
    assert next(event.n for event in runs.watch(spec.name, {spec.name: 3}) if event.campaign == spec.name) == 4
    with pytest.raises(StateError):
        runs.pause(spec.name)


def test_a_folder_that_waits_can_be_cancelled(texts, tmp_path):
    spec = CampaignSpec.parse(texts.ward(), tmp_path)
    folder = tmp_path / "run"
    assert exit_code(local(spec, folder).run().states) == 4
    runs = FolderRuns(folder)
    assert runs.pause(spec.name, "tea").reason == "tea"
    assert runs.resume(spec.name).status == "running"
    assert runs.extend(spec.name, 3).queries.total == 33
    assert runs.cancel(spec.name).status == "cancelled"
    assert list(runs.watch(spec.name))[-1].kind == "cancelled"


def test_the_commands_take_a_folder(finished, capsys):
    folder, _ = finished
    assert run(["status", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "exhausted"
    assert run(["watch", str(folder)]) == 3
    assert "exhausted" in capsys.readouterr().out


def test_a_folder_without_a_run_is_not_found(tmp_path):
    with pytest.raises(NotFoundError), open_run(str(tmp_path), None, Settings()):
        pass
