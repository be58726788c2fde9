"""Labels: what a labeler answers, how it is hosted, and how labelers combine."""
