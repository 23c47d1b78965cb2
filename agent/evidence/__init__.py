"""What may be said: every sentence is held against the journal and the tool results of its turn."""
