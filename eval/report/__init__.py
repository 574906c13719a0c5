"""One file that people forward."""
