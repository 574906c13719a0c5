"""Checks of what models write: what does not follow, is not there, was not shown, or is out of form."""
