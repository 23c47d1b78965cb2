"""Findings in numbers: pure functions and small states, no store."""
