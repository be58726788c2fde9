"""Bugs that the tests of the record must catch: each one is a change of a few words that breaks a promise.

They are kept as text, applied to copies of the package and never to the package itself.
"""

from places import IN_THE_WORLD
from planted_bug import Bug
from rules import IN_THE_RULES

BUGS: tuple[Bug, ...] = (*IN_THE_RULES, *IN_THE_WORLD)
