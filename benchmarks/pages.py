"""``python -m benchmarks.pages`` writes docs/benchmarks.md from the results: no number there is typed by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Json
from benchmarks.label_efficiency.drawing import draw

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Made by `python -m benchmarks.pages` from `benchmarks/results/*.json`. Each section names its command, the commits that
its cells measured, and the machine's load when they were put together; run the command to measure again.
"""


def main() -> None:
    """Write the page."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((HERE / "results").glob("*.json"))]
    for result in results:
        if "series" in result["curves"]:
            draw(result["curves"], _picture(result))
    PAGE.write_text("\n".join([HEAD, *(_section(result) for result in results)]), encoding="utf-8")


def _picture(result: Json) -> Path:
    return PAGE.parent / "images" / f"benchmark-{result['name']}.png"


def _section(result: Json) -> str:
    machine = result["machine"]
    commits = ", ".join(f"`{commit[:12]}`" for commit in result["measured"])
    lines = [
        f"## {result['name']}",
        "",
        f"`{result['command']}` · measured at {commits} · seeds: {result['seeds']} · processors: {machine['cpus']} · "
        f"load: {machine['load'][0]}",
        "",
        _table(["figure", "value"], list(result["figures"].items())),
    ]
    if "series" in result["curves"]:
        lines += ["", f"![learning curves](images/{_picture(result).name})"]
    for table in result["tables"]:
        lines += ["", table["title"], "", _table(table["columns"], table["rows"])]
    return "\n".join([*lines, *("\n" + note for note in result["notes"]), ""])


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    line = "| " + " | ".join(columns) + " |"
    rule = "|" + " --- |" * len(columns)
    return "\n".join([line, rule, *("| " + " | ".join(_shown(value) for value in row) + " |" for row in rows)])


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
