"""Query strategies: which samples to buy next."""
