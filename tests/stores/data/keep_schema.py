"""Write ``schema_<revision>.sqlite`` beside this file: a record as this version leaves it, for later versions to open.

Run once for each new revision of the schema, before it is released: ``python tests/stores/data/keep_schema.py``.
"""

import tempfile
from pathlib import Path

from dataeff_al.stores.open import RECORD, open_store
from dataeff_al.stores.schema import HEAD
from dataeff_al.testing.logs import told_story


def main() -> None:
    kept = Path(__file__).with_name(f"schema_{HEAD}.sqlite")
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder, writer=True)
        store.append("kept", told_story()[1], 0, store.epoch)
        store.close()
        kept.write_bytes((Path(folder) / RECORD).read_bytes())


if __name__ == "__main__":
    main()
