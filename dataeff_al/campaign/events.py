"""Moved."""

from dataeff_al.events import *  # noqa: F403
