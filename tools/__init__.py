"""What can be done in a home: typed, with units, bounded; plain functions that any door can call."""
