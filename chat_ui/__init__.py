"""The chat in the browser: a client of the REST API that shows conversations, cards and alerts, and keeps nothing."""
