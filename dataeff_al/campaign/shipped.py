"""The campaigns that ship: inside the package when installed from a wheel, in ``campaigns/`` of an editable install."""

from pathlib import Path

from dataeff_al.errors import DataeffError, UnknownNameError
from dataeff_al.registry import nearest


def folder() -> Path:
    """Where the shipped campaigns are. Raises DataeffError when the installation has none."""
    packaged = Path(__file__).parent / "shipped"
    checkout = Path(__file__).parents[2] / "campaigns"
    for place in (packaged, checkout):
        if place.is_dir():
            return place
    raise DataeffError(f"the installation must hold its campaigns, but got none in {str(packaged)!r}.")


def names() -> list[str]:
    """Names of the shipped campaigns, sorted."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def path_of(name: str) -> Path:
    """The file of a shipped campaign; ``vessel-stress`` finds ``vessel_stress``.

    Raises :class:`~dataeff_al.errors.UnknownNameError` with all names and the nearest one.
    """
    wanted = name.removesuffix(".yaml").replace("-", "_")
    known = names()
    if wanted not in known:
        raise UnknownNameError("campaign", name, known, nearest(wanted, known))
    return folder() / f"{wanted}.yaml"


def summary(name: str) -> str:
    """What the campaign says about itself: the comment in its first line."""
    with path_of(name).open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").strip()
