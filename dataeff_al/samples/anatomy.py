"""What samples of scans carry beside their images, by name: pools write it, learners look for it."""

PLACES = ("at_x", "at_y", "at_z")
"""The last channels of an input that say where a place lies in the head, in [0, 1]: right, front, top."""

PARTIAL = "partial_"
"""Begins the name of a field with what a source of partial annotations said: codes of its own structures, and a last
class for what it has not looked at."""
