"""What HomeGuard remembers of people: conversations now; learnings and the household come to live here."""
