"""The ground that every room stands on: words, contracts, decisions, stores. It imports no room."""
