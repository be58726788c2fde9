"""Training policies: how a learner is fitted to what has been labelled."""
