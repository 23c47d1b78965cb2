"""The stdio proxy as a program of its own: `python stdio_proxy.py BASE_URL TOKEN SERVER...`."""

import asyncio
import sys

from mcp_servers.proxy import run_stdio

if __name__ == "__main__":
    asyncio.run(run_stdio(sys.argv[1], sys.argv[2], sys.argv[3:]))
