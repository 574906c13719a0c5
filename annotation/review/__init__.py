"""The review loop: samples out to annotators in Argilla, their answers back into the store, and what follows."""
