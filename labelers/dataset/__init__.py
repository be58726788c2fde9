"""The labeler that answers from what a data set already knows."""
