"""The planner that understands people without any cloud: deterministic, trained on phrases of our own."""
