"""Write the stubs of the protos into ``dataeff_al/rpc/v1``; with ``--check``, say whether they are what they would be.

Run as ``python protos/regenerate.py [--check]``; needs grpcio-tools.
"""

import filecmp
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
ROOT = PROTOS.parent
STUBS = Path("dataeff_al/rpc/v1")


def generate(into: Path) -> None:
    """Compile every proto. Raises SystemExit when the compiler refuses one."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    # The well-known types come with the compiler.
    roots = [f"-I{PROTOS}", f"-I{files('grpc_tools') / '_proto'}"]
    outputs = [f"--{kind}_out={into}" for kind in ("python", "pyi", "grpc_python")]
    code = protoc.main(["protoc", *roots, *outputs, *sources])
    if code:
        raise SystemExit(code)


def stale() -> list[str]:
    """Names of stubs that differ from what the protos give, are missing, or belong to no proto."""
    with tempfile.TemporaryDirectory() as made:
        generate(Path(made))
        fresh = {path.name: path for path in (Path(made) / STUBS).iterdir()}
        kept = {path.name: path for path in (ROOT / STUBS).glob("*_pb2*.py*")}
        same = {name for name in fresh.keys() & kept.keys() if filecmp.cmp(fresh[name], kept[name], shallow=False)}
        return sorted((fresh.keys() | kept.keys()) - same)


def main() -> int:
    """Write, or check."""
    if "--check" not in sys.argv[1:]:
        generate(ROOT)
        return 0
    found = stale()
    if found:
        print(f"stubs must be what the protos give, but got others: {', '.join(found)}; run protos/regenerate.py")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
