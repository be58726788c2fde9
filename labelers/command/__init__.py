"""The labeler that asks a program of the house: samples in a file, answers in a file."""
