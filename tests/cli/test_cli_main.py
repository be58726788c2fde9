import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
import typer

from dataeff_al import registry
from dataeff_al.errors import BudgetError, CapabilityError, Problem, SpecError, UnknownNameError
from services.cli import main as entry
from services.cli.failures import exit_code_of
from services.cli.main import run

COMMANDS = ("validate", "schema", "init", "plugins", "version")


def test_help_lists_every_command(capsys):
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command} " in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    assert run([command, "--help"]) == 0
    assert "Usage: dataeff-al" in capsys.readouterr().out


def test_no_command_at_all_is_a_usage_error_that_shows_the_help(capsys):
    assert run([]) == 2
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize("given", [["validat"], ["validate"], ["version", "--nope"], ["version", "extra"]])
def test_wrong_usage_is_one_sentence_with_code_2(given, capsys):
    assert run(given) == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert error.count("\n") == 1


def test_a_wrong_command_suggests_the_nearest(capsys):
    run(["validat"])
    assert "validate" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--debug", "validate", "none.yaml"], ["validate", "none.yaml", "--debug"]])
def test_debug_shows_a_traceback_wherever_it_stands(given, capsys):
    assert run(given) == 2
    assert "Traceback" in capsys.readouterr().err


def test_debug_after_two_dashes_is_an_argument(capsys):
    assert run(["validate", "--", "--debug"]) == 2
    error = capsys.readouterr().err
    assert "--debug: a campaign must be a readable file" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (SpecError([Problem("a", 1, "must hold.")]), 2, "Error: line 1: a: must hold."),
        (SpecError([Problem("a", 1, "x."), Problem("b", 2, "y.")]), 2, "Errors:\nline 1: a: x.\nline 2: b: y."),
        (UnknownNameError("sampler", "x", ["y"], None), 2, "must be one of y"),
        (CapabilityError("needs more."), 2, "needs more."),
        (BudgetError("spent."), 1, "Error: spent."),
        (KeyboardInterrupt(), 1, "Interrupted."),
        (typer.Abort(), 1, "Interrupted."),
        (PermissionError(13, "Permission denied", "there"), 1, "the file 'there' must be usable"),
        (ZeroDivisionError("oops"), 1, "unexpected ZeroDivisionError (oops); --debug shows where."),
        (SystemExit(4), 4, ""),
    ],
)
def test_every_error_has_a_sentence_and_a_code(error, code, words, capsys):
    assert exit_code_of(error, debug=False) == code
    written = capsys.readouterr().err
    assert words in written
    assert "Traceback" not in written


def test_a_command_chooses_its_exit_code(monkeypatch):
    class Group:
        @staticmethod
        def add_to(app):
            @app.command()
            def paused():
                return 4

            @app.command()
            def interrupted():
                raise KeyboardInterrupt

            @app.command()
            def left():
                raise typer.Exit(3)

    monkeypatch.setattr(entry, "_GROUPS", (*entry._GROUPS, Group))
    assert run(["paused"]) == 4
    assert run(["left"]) == 3
    assert run(["interrupted"]) == 1
    with pytest.raises(SystemExit) as left:
        entry.main(["paused"])
    assert left.value.code == 4


def test_plugins_are_listed_by_kind(capsys):
    assert run(["plugins"]) == 0
    out = capsys.readouterr().out
    assert out.index("pools\n") < out.index("samplers\n") < out.index("labelers\n")
    assert "  random " in out


def test_plugins_can_be_read_by_scripts(capsys):
    assert run(["plugins", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"kind": "samplers", "name": "random"}.items() <= next(r for r in rows if r["name"] == "random").items()


def test_a_broken_plugin_is_shown_as_broken_and_harms_nothing(monkeypatch, capsys):
    installed = registry._entry_points
    broken = EntryPoint("hurt", "no_such_package.spec:PLUGIN", "dataeff_al.samplers")
    wrong = EntryPoint("odd", "dataeff_al.errors:Problem", "dataeff_al.samplers")

    def with_broken(kind):
        return {**installed(kind), **({"hurt": broken, "odd": wrong} if kind == "samplers" else {})}

    monkeypatch.setattr(registry, "_entry_points", with_broken)
    assert run(["plugins"]) == 0
    out = capsys.readouterr().out
    assert "hurt                BROKEN: ModuleNotFoundError: No module named 'no_such_package'" in out
    assert "odd                 BROKEN: DataeffError: entry point 'odd'" in out
    assert run(["schema"]) == 0


def test_versions_are_listed_without_importing(capsys):
    assert run(["version", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["dataeff-al"]
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert run(["version"]) == 0
    assert "numpy" in capsys.readouterr().out


LIGHT = """
import sys
from services.cli.main import run
code = run({given!r})
heavy = sorted({{"torch", "ray", "scipy", "sklearn", "numba", "matplotlib", *{more!r}}} & set(sys.modules))
sys.exit(f"imported {{heavy}}" if heavy else code)
"""


@pytest.mark.parametrize(
    ("given", "more"),
    [
        (["--help"], ["pydantic", "numpy", "yaml"]),
        (["version"], ["numpy", "yaml"]),
        (["plugins"], []),
        (["schema"], []),
    ],
)
def test_light_commands_import_nothing_heavy(given, more):
    code = LIGHT.format(given=given, more=more)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_early_is_no_error():
    code = "import sys; from services.cli.main import main; main(['schema'])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 0
