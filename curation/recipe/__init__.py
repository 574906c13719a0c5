"""Recipes: TOML files whose stages are commands, each run again only when its inputs have changed."""
