"""The data manifold: models fitted on the unlabelled pool that encode and decode."""
