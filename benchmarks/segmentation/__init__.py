"""What the benchmarks of scans share: real brains and tumours, views of them, and how a model is judged."""
