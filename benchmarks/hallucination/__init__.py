"""How many planted faults checks of rationales find, and how often they raise an alarm at a text without a fault."""
