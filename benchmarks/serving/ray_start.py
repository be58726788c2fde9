"""How long Ray itself takes to start on this machine, with nothing of ours in it."""

import subprocess
import sys
import time

from benchmarks.harness import Json
from benchmarks.process import environment

# The same settings as the controller's own Ray, in a fresh process: what a controller cannot avoid.
_PROGRAM = """
import time
began = time.monotonic()
from services.actors.cluster import ClusterSettings, open_cluster
imported = time.monotonic()
with open_cluster(ClusterSettings(cpus=2)):
    print(imported - began, time.monotonic() - imported, flush=True)
"""


def ray_started() -> Json:
    """Seconds to import Ray and to start it."""
    command = [sys.executable, "-c", _PROGRAM]
    # Twice, because the first time compiles what is imported.
    for _ in range(2):
        began = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300, env=environment())
        process_s = time.monotonic() - began
    import_s, start_s = map(float, done.stdout.split()[-2:])
    return {"import_s": import_s, "start_s": start_s, "process_s": process_s}
