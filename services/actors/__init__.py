"""Campaign work on Ray actors: a local Ray or an existing cluster, workers, labeler replicas."""
