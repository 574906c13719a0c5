"""Commands of ``python -m annotation``."""
