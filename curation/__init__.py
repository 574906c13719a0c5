"""The recipe: readers, prompts, backends, samplers, graders, splits."""
