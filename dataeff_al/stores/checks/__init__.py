"""The record's invariants, each checked by a small replay of its own that shares nothing with ``campaign.apply``."""
