"""Brings what lies in Redis to the form that this program knows, step by step."""

from pathlib import Path
from typing import Final

from homeguard.errors import StartRefused
from homeguard.stores.redis.keys import Keys
from homeguard.stores.redis.server import Server

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
#: Redis runs a script alone, so a step and its number are one, and the second of two processes finds it done.
_STEP: Final = """
local held = tonumber(redis.call('GET', KEYS[1]) or '0')
if held ~= tonumber(ARGV[1]) - 1 then
  return held
end
local function step()
{step}
end
step()
redis.call('SET', KEYS[1], ARGV[1])
return tonumber(ARGV[1])
"""


async def migrate(server: Server, keys: Keys, steps: list[str] | None = None) -> None:
    """Take the steps that are not taken yet; `steps` are those of this program, oldest first.

    A step is Lua that sees `KEYS[1]`, the key with the version's number: its name shows the namespace.

    Raises:
        StartRefused: what lies there was written by a newer HomeGuard.
    """
    steps = migrations() if steps is None else steps
    held = int(await server.call("GET", keys.schema) or 0)
    while held < len(steps):
        text = _STEP.replace("{step}", steps[held])
        held = int(await server.call("EVAL", text, 1, keys.schema, held + 1))
    if held > len(steps):
        raise StartRefused(
            f"Redis at {server.where} was used by a newer HomeGuard (schema {held}, this one knows {len(steps)}): "
            "update HomeGuard, or name another database"
        )


def migrations() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(_MIGRATIONS.glob("[0-9]*.lua"))]
