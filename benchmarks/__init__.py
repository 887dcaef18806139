"""Benchmarks: each runs what it measures beside what it is compared to, in one run, and prints ratios."""
