"""Run a benchmark by name; finished cells are kept, so that a run that was interrupted goes on where it ended."""

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.harness import Benchmark, run
from services.runtime import one_thread_each

HERE = Path(__file__).parent


def names() -> list[str]:
    """Names of the benchmarks in this folder: the modules that define one."""
    modules = [path for path in HERE.glob("*.py") if "\nBENCHMARK = " in path.read_text(encoding="utf-8")]
    return sorted(path.stem.replace("_", "-") for path in modules)


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=names())
    parser.add_argument("--seeds", type=int, default=None, help="paired seeds; each benchmark has its own default")
    parser.add_argument("--quick", action="store_true", help="a short version, to see that it runs; never to be quoted")
    parser.add_argument("--fresh", action="store_true", help="measure every cell again")
    parser.add_argument("--only", default="*", metavar="CELLS", help="measure these cells alone, as in file names")
    given = parser.parse_args()
    one_thread_each()
    benchmark: Benchmark = importlib.import_module(f"benchmarks.{given.name.replace('-', '_')}").BENCHMARK
    text, kept = run(
        benchmark, given.name, HERE, seeds=given.seeds, quick=given.quick, fresh=given.fresh, only=given.only
    )
    print(text)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
