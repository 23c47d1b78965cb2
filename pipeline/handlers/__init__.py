"""What follows from an event: batches in, safe to run twice. `reflex` acts now, `record` keeps."""
