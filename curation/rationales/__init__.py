"""CoT rationales: what they are made of, the teachers that write them, and how their answers are read."""
