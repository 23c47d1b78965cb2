"""LangGraph's room: one graph, its state and its checkpoints."""
