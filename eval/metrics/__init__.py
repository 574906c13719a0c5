"""What predictions are worth: counts, ranks, probabilities, with intervals over queries."""
