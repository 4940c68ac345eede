"""Training: schedule, metrics, the one loop with its hooks, resuming. `run.train` puts them together."""
