"""How many tokens one turn hands a model as homes grow: prompt, tools, index, and what a typical request adds.

`python -m evals.bench.tokens`. A token is counted as four bytes of UTF-8. Everything is asked over the real MCP servers
in this process; the last column of the first table is what handing over the whole home would take instead. The second
table is what goes over each wire to a language model: the bodies of its requests, as they are sent.
"""

import asyncio
import json
import platform
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import agent as the_agent
from agent.models import gemini, openai_compatible
from agent.models.protocol import Prompt, Said, ToolCall, ToolResult
from agent.models.told import result_of
from agent.toolbox import Toolbox, open_toolbox
from homeguard.clock import HomeClocks, SystemClock
from homeguard.model import Command, Device, Home, Member, Principal, User
from homeguard.stores.sqlite.open import open_embedded
from homeguard.vocabulary import DEVICE_TYPES
from mcp_servers.catalog import build_all
from mcp_servers.desk import Desk
from mcp_servers.identity import acting_as
from pipeline.command.execution import Execution
from pipeline.command.service import CommandService
from pipeline.command.waiting import Reports
from pipeline.intake.intake import Intake
from tools.context import ToolContext

HOME: Final = "home"
PROMPT: Final = Path(the_agent.__file__).parent / "prompts" / "system.md"
SIZES: Final = (20, 200, 1_000)
_ROOMS: Final = (
    "Kitchen", "Hall", "Bedroom", "Bathroom", "Living room", "Study", "Cellar", "Attic", "Garage", "Porch", "Pantry",
    "Laundry", "Nursery", "Guest room", "Terrace", "Workshop", "Library", "Gym", "Office", "Landing",
)  # fmt: skip
_KINDS: Final = ("light", "plug", "sensor", "contact", "motion", "cover", "thermostat", "lock", "media_player", "smoke")
WORDS: Final = "Turn on the kitchen light 1"


def devices(home_id: str, count: int) -> list[Device]:
    """So many of ten types over twenty rooms on three floors."""
    made = []
    for number in range(count):
        kind, room = _KINDS[number % len(_KINDS)], _ROOMS[number // len(_KINDS) % len(_ROOMS)]
        serial = number // (len(_KINDS) * len(_ROOMS)) + 1
        made.append(
            Device(
                home_id=home_id, id=f"0x00158d{number:010x}", type=kind, area=room,
                name=f"{room} {kind.replace('_', ' ')} {serial}", floor=f"Floor {number % 3}",
                capabilities=DEVICE_TYPES[kind].capabilities, binding={"driver": "simulated"}, is_simulated=True,
            )
        )  # fmt: skip
    return made


def tokens(value: object) -> int:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) // 4


@asynccontextmanager
async def toolbox_of(count: int) -> AsyncIterator[tuple[Toolbox, Principal]]:
    """The tools of a home with so many devices, and its agent; commands go to a driver that takes them and says
    nothing."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            stores = await stack.enter_async_context(open_embedded(Path(folder), clock))
            await stores.users.put_user(User(id=HOME, email="a@b.test", name="A", created_at=clock.now()), "-")
            await stores.users.put_home(Home(id=HOME, name="Home", unit_system="us"))
            await stores.users.put_member(Member(home_id=HOME, user_id=HOME, role="owner"))
            await stores.devices.put(devices(HOME, count))
            clocks, ready = HomeClocks(clock), asyncio.Event()
            ready.set()
            intake = Intake(log=stores.log, devices=stores.devices, clock=clock, clocks=clocks)
            execution = Execution(
                drivers={"simulated": Taking()}, journal=stores.journal, feed=stores.feed, intake=intake,
                reports=Reports(feed=stores.feed, live=stores.live), clock=clock, confirm_timeout_s=0.1,
            )  # fmt: skip
            commands = CommandService(
                users=stores.users, devices=stores.devices, live=stores.live, feed=stores.feed, journal=stores.journal,
                confirmations=stores.confirmations, audit=stores.audit, execution=execution, acts={}, clock=clock,
            )  # fmt: skip

            def context(principal: Principal) -> ToolContext:
                return ToolContext(
                    principal=principal, users=stores.users, devices=stores.devices, live=stores.live,
                    events=stores.events, readings=stores.readings, anomalies=stores.anomalies, alerts=stores.alerts,
                    automations=stores.automations, memory=stores.memory,
                    schedules=stores.schedules, lists=stores.lists, journal=stores.journal, commands=commands,
                    clock=clock, clocks=clocks, base_url="http://127.0.0.1:8000", history_ready=ready,
                )  # fmt: skip

            servers = build_all(Desk(context, clock=clock, key=b"0" * 32))
            del servers["all"]
            agent = Principal(home_id=HOME, user_id=HOME, role="owner", caller="agent")
            yield await stack.enter_async_context(open_toolbox(servers, acting_as, agent)), agent


class Taking:
    """A driver that takes every command."""

    async def send(self, device: Device, command: Command) -> None:
        return None


async def measured(count: int) -> dict[str, int]:
    """The figures of a home with so many devices. A turn has three steps: find, act, answer."""
    async with toolbox_of(count) as (toolbox, agent):
        index = await toolbox.call(agent, ToolCall(id="i", name="find_devices", arguments={}))
        find = ToolCall(id="1", name="find_devices", arguments={"query": "kitchen light 1"})
        found = await toolbox.call(agent, find)
        chosen = found.result.output["devices"][0]["device_id"]
        act = ToolCall(id="2", name="control_device", arguments={"device_id": chosen, "command": "turn_on"})
        acted = await toolbox.call(agent, act)
        assert acted.result.output["outcome"] == "sent", acted.result
        whole, cursor = 0, ""
        while True:
            page = ToolCall(id="w", name="get_home_summary", arguments={"limit": 200, "cursor": cursor})
            output = dict((await toolbox.call(agent, page)).result.output)
            whole += tokens(output)
            cursor = output.get("next_cursor") or ""
            if not cursor:
                break
        tools = sum(tokens({"n": t.name, "d": t.description, "s": dict(t.input_schema)}) for t in toolbox.specs)
    system = tokens(PROMPT.read_text(encoding="utf-8"))
    fixed, said = system + tools + tokens(WORDS), [0]
    for call, result in ((find, found.result), (act, acted.result)):
        made = tokens({"name": call.name, "arguments": dict(call.arguments)})
        said.append(said[-1] + made + tokens(dict(result.output)))
    return {
        "devices": count, "system": system, "tools": tools, "index": tokens(dict(index.result.output)),
        "largest step": fixed + said[-1], "whole turn": sum(fixed + s for s in said), "steps": len(said),
        "whole home": whole,
    }  # fmt: skip


async def on_wires(count: int) -> list[dict[str, object]]:
    """The bodies of the same turn, and of one that asks for the whole home and answers, for each wire."""
    async with toolbox_of(count) as (toolbox, agent):
        find = ToolCall(id="1", name="find_devices", arguments={"query": "kitchen light 1"})
        found = (await toolbox.call(agent, find)).result
        light = {"device_id": found.output["devices"][0]["device_id"], "command": "turn_on"}
        act = ToolCall(id="2", name="control_device", arguments=light)
        acted = (await toolbox.call(agent, act)).result
        whole = ToolCall(id="3", name="get_home_summary", arguments={})
        summary = (await toolbox.call(agent, whole)).result
        rows: list[dict[str, object]] = []
        for wire, body in (("Gemini", gemini_body), ("chat completions", chat_body)):
            prompt = Prompt(
                system=PROMPT.read_text(encoding="utf-8"), messages=(Said(role="user", text=WORDS),),
                tools=toolbox.specs, now=SystemClock().now(), time_zone="America/New_York", unit_system="us",
            )  # fmt: skip
            steps = [body(prompt), body(prompt, (find, found)), body(prompt, (find, found), (act, acted))]
            rows.append(
                {
                    "devices": count, "wire": wire, "first step": steps[0], "largest step": steps[-1],
                    "whole turn": sum(steps), "with the whole home": body(prompt, (whole, summary)),
                    "its result": tokens(result_of(summary)), "as the tool gave it": tokens(dict(summary.output)),
                }
            )  # fmt: skip
        return rows


def gemini_body(prompt: Prompt, *made: tuple[ToolCall, ToolResult]) -> int:
    def kept(call: ToolCall) -> dict[str, object]:
        part = {"function_call": {"id": call.id, "name": call.name, "args": dict(call.arguments)}}
        return {gemini.KEPT: {"role": "model", "parts": [{**part, "thought_signature": "c2ln"}]}}

    told = gemini.contents(_after(prompt, kept, made))
    tools = [gemini.declaration(spec).model_dump(mode="json", exclude_none=True) for spec in prompt.tools]
    body = [c.model_dump(mode="json", exclude_none=True) for c in told]
    return tokens({"contents": body, "tools": [{"functionDeclarations": tools}], "systemInstruction": prompt.system})


def chat_body(prompt: Prompt, *made: tuple[ToolCall, ToolResult]) -> int:
    def kept(call: ToolCall) -> dict[str, object]:
        function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
        calls = [{"id": call.id, "type": "function", "function": function}]
        return {openai_compatible.KEPT: {"role": "assistant", "content": None, "tool_calls": calls}}

    model = openai_compatible.ChatCompletions(address="http://127.0.0.1:1", model="local")
    return tokens(model.body(_after(prompt, kept, made)))


def _after(
    prompt: Prompt, kept: Callable[[ToolCall], dict[str, object]], made: Sequence[tuple[ToolCall, ToolResult]]
) -> Prompt:
    said = list(prompt.messages)
    for call, result in made:
        said += [Said(role="assistant", calls=(call,), opaque=kept(call)), Said(role="tool", results=(result,))]
    return replace(prompt, messages=tuple(said))


async def run() -> None:
    rows = [await measured(count) for count in SIZES]
    print(f"Python {platform.python_version()}; sizes, not speeds: they are the same on every machine and run")
    print("tokens = UTF-8 bytes / 4; one turn that finds a light, switches it and answers, over the real servers")
    print("  ".join(f"{name:>12}" for name in rows[0]))
    for row in rows:
        print("  ".join(f"{value:>12,}" for value in row.values()))
    print("\nwhat a language model is sent: the bodies of its requests; the last two are one look at the whole home")
    lines = [line for count in SIZES for line in await on_wires(count)]
    print("  ".join(f"{name:>19}" for name in lines[0]))
    for line in lines:
        print("  ".join(f"{value:>19,}" if isinstance(value, int) else f"{value:>19}" for value in line.values()))


if __name__ == "__main__":
    asyncio.run(run())
