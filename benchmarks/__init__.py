"""What is fast, side by side with peers in the same run: `python -m benchmarks` writes docs/benchmarks.md."""
