import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataeff_al.campaign import shipped
from dataeff_al.errors import UnknownNameError

HEAVY = (
    "torch",
    "ray",
    "scipy",
    "sklearn",
    "skimage",
    "numba",
    "matplotlib",
    "PIL",
    "gymnasium",
    "safetensors",
    "jinja2",
)

VALIDATE = """
import sys
for name in {heavy!r}:
    sys.modules[name] = None
from services.cli.main import run
sys.exit(run(["validate", {file!r}]))
"""


def validate(file, **environment):
    code = VALIDATE.format(heavy=HEAVY, file=str(file))
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_campaign_validates_without_the_engine(name):
    if "DATAEFF_DATA" in Path(shipped.path_of(name)).read_text() and not os.environ.get("DATAEFF_DATA"):
        pytest.skip("its data are found through DATAEFF_DATA only")
    done = validate(shipped.path_of(name))
    assert done.returncode == 0, done.stderr
    assert "is valid" in done.stdout
    assert "Labels:" in done.stdout


def test_a_blocked_module_really_is_missing():
    code = "import sys; sys.modules['torch'] = None; import torch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError" in done.stderr


def test_the_four_campaigns_ship_with_a_first_line_that_says_what_they_are():
    assert set(shipped.names()) >= {"digits", "phantom_segmentation", "vessel_stress", "vessel_stress_ivus"}
    for name in shipped.names():
        assert len(shipped.summary(name)) > 30


def test_every_section_of_a_shipped_campaign_is_explained():
    for name in shipped.names():
        text = Path(shipped.path_of(name)).read_text()
        for block in text.split("\n\n")[1:]:
            assert "#" in block, block


def test_a_wrong_name_lists_the_right_ones():
    with pytest.raises(UnknownNameError, match="Did you mean 'vessel_stress'"):
        shipped.path_of("vesel_stress")
    with pytest.raises(UnknownNameError, match="digits, "):
        shipped.path_of("../../etc/passwd")


def test_dashes_and_endings_do_not_matter():
    assert shipped.path_of("vessel-stress.yaml") == shipped.path_of("vessel_stress")
