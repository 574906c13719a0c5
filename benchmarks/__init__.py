"""Measurements that the documentation quotes; run one by ``python -m benchmarks.<name>``."""

from pathlib import Path

CROWDFLOWER = Path(__file__).resolve().parents[2] / "shared" / "data" / "crowdflower" / "train.csv"
"""CrowdFlower's train.csv beside this checkout."""
