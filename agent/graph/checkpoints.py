"""Where turns wait: langgraph's own SQLite checkpointer, JSON only."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")  # read by langgraph when it is imported

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver


@asynccontextmanager
async def open_checkpoints(path: Path) -> AsyncIterator[AsyncSqliteSaver]:
    """The checkpoints of every turn that is not over. A turn's are deleted when it ends."""
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        await saver.setup()
        await saver.conn.execute("PRAGMA synchronous=FULL")
        yield saver


async def unfinished(saver: AsyncSqliteSaver) -> list[str]:
    """The ids of the turns (`home/turn`) that have checkpoints left: they wait, or were cut off."""
    async with saver.conn.execute("SELECT DISTINCT thread_id FROM checkpoints ORDER BY thread_id") as rows:
        return [row[0] async for row in rows]
