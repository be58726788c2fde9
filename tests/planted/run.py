"""Plants each bug in a copy of the package and runs the suites that must catch it.

    python tests/planted/run.py [--json] [--only NAME ...] [--unplanted]

The last line of the output with ``--json`` is ``{"planted_bugs": ..., "planted_bugs_caught": ..., "missed": [...]}``.
Ends with 1 when a bug was missed or could not be tried.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bugs import BUGS
from planted_bug import Bug

ROOT = Path(__file__).parents[2]
COPIED = ("dataeff_al", "services", "labelers", "tests", "campaigns", "pyproject.toml")
LIMIT_S, LIMIT_OF_ALL_S = 900, 3600
CAUGHT, UNHARMED = 1, 0


def copy_of_the_package(folder: Path) -> Path:
    """With its compiled files, which stay valid because times of change are kept."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder / name)
    return folder


def planted(bug: Bug, text: str) -> str:
    """The file's text with the bug. Raises ValueError when the bug does not fit it any more."""
    if text.count(bug.old) != 1:
        raise ValueError(f"{bug.name}: its text must stand once in {bug.file}, but got {text.count(bug.old)} places.")
    found = text.replace(bug.old, bug.new)
    compile(found, bug.file, "exec")
    return found


def ends_with(folder: Path, suites: tuple[str, ...], limit_s: int = LIMIT_S) -> tuple[int, str]:
    """What pytest ends with on the copy, and the end of what it says."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("DATAEFF_SEQUENCES", None)
    options = ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "--hypothesis-profile=no_shrinking"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *suites],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=limit_s,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr)[-1500:]


def try_one(bug: Bug, folder: Path) -> tuple[str, str]:
    """``caught``, ``missed`` or ``error``, with what pytest said. The copy is as it was afterwards."""
    file = folder / bug.file
    before, times = file.read_text(encoding="utf-8"), file.stat()
    try:
        file.write_text(planted(bug, before), encoding="utf-8")
        code, said = ends_with(folder, bug.suites)
    except (ValueError, SyntaxError, subprocess.TimeoutExpired) as error:
        return "error", str(error)
    finally:
        file.write_text(before, encoding="utf-8")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    return {CAUGHT: "caught", UNHARMED: "missed"}.get(code, "error"), said


def unharmed(bugs: list[Bug], folder: Path) -> str:
    """Without a bug every suite must pass: otherwise to fail with one says nothing. What failed, or nothing."""
    suites = tuple(sorted({suite for bug in bugs for suite in bug.suites}))
    code, said = ends_with(folder, suites, LIMIT_OF_ALL_S)
    return "" if code == UNHARMED else said


def chosen(names: list[str]) -> list[Bug]:
    """The bugs of these names; all without any."""
    unknown = set(names) - {bug.name for bug in BUGS}
    if unknown:
        sys.exit(f"--only must name bugs of bugs.py, but got {sorted(unknown)}.")
    return [bug for bug in BUGS if bug.name in names or not names]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--unplanted", action="store_true", help="first run the suites without any bug")
    wanted = parser.parse_args()
    bugs, found = chosen(wanted.only), dict[str, str]()
    with tempfile.TemporaryDirectory(prefix="dataeff-planted-") as name:
        folder = copy_of_the_package(Path(name))
        if wanted.unplanted and (said := unharmed(bugs, folder)):
            sys.exit(f"the suites must pass without a bug, but got:\n{said}")
        for bug in bugs:
            began = time.monotonic()
            found[bug.name], said = try_one(bug, folder)
            print(f"{found[bug.name]:7} {bug.name}: {bug.wrong} ({time.monotonic() - began:.1f} s)", flush=True)
            if found[bug.name] == "error":
                print(said)
    missed = [name for name, how in found.items() if how != "caught"]
    if wanted.json:
        caught = len(found) - len(missed)
        print(json.dumps({"planted_bugs": len(found), "planted_bugs_caught": caught, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
