"""Scans: NIfTI files and generated heads on one grid, with patients, label tables and partial annotations."""
