"""Frozen splits: named, versioned sets of pairs with what hangs on each."""
