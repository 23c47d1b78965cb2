"""The public face of the servers as text: `python -m mcp_servers.snapshot FOLDER` writes one file a server."""

import asyncio
import json
import sys
from pathlib import Path
from typing import NoReturn

from homeguard.clock import SystemClock
from homeguard.model import Principal
from mcp_servers.catalog import build_all
from mcp_servers.desk import Desk
from tools.context import ToolContext


async def tool_lists() -> dict[str, str]:
    """Server -> its instructions and tools as clients get them, as JSON text; nothing is opened for it."""

    def nobody(_: Principal) -> ToolContext:
        raise AssertionError("listing tools needs no home")

    desk = Desk(nobody, clock=SystemClock(), key=b"0" * 32)
    texts = {}
    for name, server in build_all(desk).items():
        tools = [t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in await server.list_tools()]
        face = {"name": server.name, "title": server.title, "instructions": server.instructions, "tools": tools}
        texts[name] = json.dumps(face, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    return texts


def main(arguments: list[str]) -> NoReturn:
    folder = Path(arguments[0] if arguments else "tests/mcp_servers/snapshots")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in asyncio.run(tool_lists()).items():
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
