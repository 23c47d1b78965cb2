"""Puts the rooms together: one process, its command line, and what it takes to run it."""
