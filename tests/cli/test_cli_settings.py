import pytest

from dataeff_al.errors import DataeffError
from services.runtime import Settings


def test_without_the_variable_there_is_no_data_folder():
    assert Settings.from_environment({}).data_root is None
    assert Settings.from_environment({"DATAEFF_DATA": " "}).data_root is None


def test_the_data_folder_is_read_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DATAEFF_DATA", str(tmp_path))
    assert Settings.from_environment().data_root == tmp_path.resolve()


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataeffError, match="must name an existing folder"):
        Settings.from_environment({"DATAEFF_DATA": str(tmp_path / "none")})
