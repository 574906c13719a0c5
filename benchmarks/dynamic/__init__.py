"""GRPO with dynamic sampling against TRL's own trainer; ``python -m benchmarks.dynamic``."""
