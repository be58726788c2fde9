"""The built-in pools. ``spec`` is light; each builder stands in a module of its own."""
