"""Straightforward versions of what the benchmarks compare with: written to be clear, not fast."""
