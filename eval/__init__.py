"""Judging and deploying: predictions, metrics, calibration, the partition that a search team deploys, a report."""
