"""Labelers that ship with dataeff-al; each stands alone and knows only the core."""
