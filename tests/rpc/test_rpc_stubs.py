import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROTOS = sorted((ROOT / "protos").rglob("*.proto"))
DECLARATION = re.compile(r"\s*(service|message|enum|rpc|oneof)\s+\w+|\s*[\w.<>, ]+\s+\w+\s*=\s*\d+;")


def test_stubs_are_what_the_protos_give():
    done = subprocess.run(
        [sys.executable, str(ROOT / "protos" / "regenerate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("proto", PROTOS, ids=lambda path: path.name)
def test_every_service_method_message_and_field_is_explained(proto):
    lines = proto.read_text(encoding="utf-8").splitlines()
    bare = [
        line.strip()
        for before, line in zip(["", *lines], lines, strict=False)
        if DECLARATION.match(line)
        and not line.startswith(("syntax", "package"))
        and "_UNSPECIFIED" not in line
        and not before.strip().startswith("//")
    ]
    assert bare == []


def test_there_are_protos_to_look_at():
    assert len(PROTOS) == 4


def test_the_client_needs_neither_torch_nor_ray():
    heavy = "{'torch', 'ray', 'scipy', 'sklearn', 'numba', 'matplotlib', 'sqlalchemy'}"
    code = f"import sys; from dataeff_al.rpc import Client; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
