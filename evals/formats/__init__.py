"""External utterance cases: each format's homes as HomeGuard devices, and what happened in the words of its home."""
