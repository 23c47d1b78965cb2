"""The MCP face of HomeGuard: five servers over the tools, over HTTP, over stdio and in process."""
