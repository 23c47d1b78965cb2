"""An instance of the MCP door on a free port, over the house of the tool tests."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import uvicorn
from house_for_tools import House
from people import authenticate

from mcp_servers.catalog import build_all
from mcp_servers.desk import Desk
from mcp_servers.server import HomeServer
from mcp_servers.serving import McpHttp

KEY = b"k" * 32


def make_servers(house: House) -> dict[str, HomeServer]:
    return build_all(Desk(house.context, clock=house.clock, key=KEY, person_wait_s=1.0, audit=house.stores.audit))


@asynccontextmanager
async def serve(house: House, port: int) -> AsyncIterator[str]:
    """An instance of the MCP door on that port, until the block ends."""
    base_url = f"http://127.0.0.1:{port}"
    app = McpHttp(
        make_servers(house),
        authenticate,
        base_url=base_url,
        allowed_hosts=[f"127.0.0.1:{port}"],
        allowed_origins=[base_url],
    )
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    async with app.lifespan():
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn tells it by a flag only
            await asyncio.sleep(0.01)
        try:
            yield base_url
        finally:
            server.should_exit = True
            await task


def free_port() -> int:
    """A port of 20000-32000 that nobody listens on."""
    for port in range(Random().randrange(20000, 31000), 32000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no free port")
