"""Contract suites for plugin authors: call them from your own tests; they raise AssertionError with a sentence."""
