"""Target networks: the models that a campaign is there to learn."""
