"""What an assistant got done is told in a topic of its own, what people do by themselves is not."""

from typing import Any

from homeguard.ports.log import AGENT_ACTIONS
from pipeline.envelope import decode


async def test_what_an_assistant_or_a_program_did_is_told_with_its_outcome_and_once_by_id(world: Any) -> None:
    done = [
        await world.tell(world.who(caller=caller), device_id, "turn_on")
        for caller, device_id in (("agent", "lamp"), ("client", "silent_lamp"), ("person", "lamp"))
    ]
    assert [r.outcome for r in done] == ["confirmed", "sent", "confirmed"]

    told = [decode(record) for record in await world.stores.log.tail(AGENT_ACTIONS, limit=10)]

    assert [(e.payload["command_id"], e.payload["caller"], e.payload["outcome"]) for e in told] == [
        (done[0].command_id, "agent", "confirmed"), (done[1].command_id, "client", "sent"),
    ]  # fmt: skip
    assert {e.device_id for e in told} == {"lamp", "silent_lamp"}
    command = await world.stores.journal.command("h", done[0].command_id)
    await world.recovery.record_missing("h", _nothing)
    again = [decode(record) for record in await world.stores.log.tail(AGENT_ACTIONS, limit=10)]
    assert len({e.event_id for e in again}) == 2
    assert command.caller == "agent"


async def _nothing(home_id: str, event_id: str) -> bool:
    return False
