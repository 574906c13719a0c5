"""The one exception that a user meets."""

from __future__ import annotations


class TierwiseError(Exception):
    """An expected failure, told in one line: what is wrong, where, and what to do next.

    Commands print it after ``Error:`` and exit with 1; no traceback.
    """
