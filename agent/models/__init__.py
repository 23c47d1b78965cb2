"""What thinks: one protocol, and the models that speak it."""
