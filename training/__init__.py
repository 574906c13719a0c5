"""The three stages of training: SFT, DPO, and GRPO with difficulty-based dynamic sampling."""
