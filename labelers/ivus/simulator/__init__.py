"""Synthetic IVUS recordings with exact borders: physics, artefacts, vessels. Never clinical data."""
