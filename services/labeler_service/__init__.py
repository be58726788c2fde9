"""A labeler behind LabelerService: campaigns elsewhere ask it by ``labeler: {kind: remote}``."""
