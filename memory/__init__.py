"""What HomeGuard keeps in mind: conversations with their summaries, what people asked to remember, the household."""
