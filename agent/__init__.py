"""The agent: one LangGraph graph that acts only through MCP and answers only what the journal bears out."""
