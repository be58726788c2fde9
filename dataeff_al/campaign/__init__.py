"""One labelling effort: its immutable description, its state, and the one loop that drives it."""
