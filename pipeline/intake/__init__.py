"""What comes in: bounds, decoding, judging, and the append to the log before the acknowledgement."""
