"""What samples of a configuration are worth on a split: pass@k, hallucinations, tokens, with intervals."""
