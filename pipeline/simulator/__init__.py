"""Simulated devices that behave."""
