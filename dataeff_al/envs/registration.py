"""Makes the environments known to gymnasium; also its ``gymnasium.envs`` entry point. Imports nothing heavy."""

from gymnasium.envs.registration import register, registry

CONTOUR_WALK = "dataeff_al/ContourWalk-v0"


def register_envs() -> None:
    """Register the environments; calling it again changes nothing."""
    if CONTOUR_WALK not in registry:
        register(id=CONTOUR_WALK, entry_point="dataeff_al.envs.contour_walk:ContourWalk")
