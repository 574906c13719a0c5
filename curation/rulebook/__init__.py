"""Rulebooks: relevance rules as versioned YAML, checked, compared, kept in the store, and retrieved for a pair."""
