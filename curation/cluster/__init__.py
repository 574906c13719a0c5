"""Sampling by many workers, with Ray: pairs in blocks, parts written by whoever draws them, merged once."""
