"""People review in Argilla: its server from one command, and what goes there and comes back."""
