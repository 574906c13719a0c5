"""Who predicts: models, baselines, files."""
