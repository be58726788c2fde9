"""Gymnasium environments, and what they share with the labelers that act in them.

Importing this module makes them known: gymnasium 1.x no longer reads its ``gymnasium.envs`` entry point by itself::

    import dataeff_al.envs
    env = gymnasium.make("dataeff_al/ContourWalk-v0")

or, in one line, ``gymnasium.make("dataeff_al.envs:dataeff_al/ContourWalk-v0")``.
"""

from dataeff_al.envs.registration import register_envs

register_envs()
