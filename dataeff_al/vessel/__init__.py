"""The vessel domain that pools, priors and labelers share: tissue codes, section geometry, contour files, shapes."""
