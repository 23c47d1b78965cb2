"""The one way to act: resolve, gate, confirm, journal, drive, and say what came of it."""
