"""What sciflow costs, measured beside programs that do the same work: `python -m benchmarks`."""
