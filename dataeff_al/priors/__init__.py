"""Knowledge that a campaign may state about its task."""
