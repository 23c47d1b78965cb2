"""What needs a person's yes: asked in the form that each kind of client understands, and done once."""

from datetime import timedelta
from typing import Any

import pytest
from house_for_tools import ANN, BOB, House, say
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ElicitResult, InputRequiredResult

from homeguard.model import Turn
from mcp_servers.asking import ANSWERS_META
from mcp_servers.identity import acting_as
from mcp_servers.server import HomeServer

UNLOCK = {"device_id": "front_door_lock", "command": "unlock"}


async def accept(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept")


async def decline(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="decline")


async def call(client: Client, asked: InputRequiredResult | None = None, **answer: Any) -> Any:
    """The unlock, at first or again with the state of the round before."""
    return await client.session.call_tool(
        "control_device",
        UNLOCK,
        allow_input_required=True,
        request_state=asked.request_state if asked is not None else None,
        input_responses={k: ElicitResult(**answer) for k in asked.input_requests or {}} if asked and answer else None,
    )


async def test_a_modern_client_gets_input_required_and_after_the_press_the_outcome(
    house: House, servers: dict[str, HomeServer]
) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"], elicitation_callback=accept) as client:
            asked = await call(client)
            assert isinstance(asked, InputRequiredResult)
            ((confirmation_id, request),) = (asked.input_requests or {}).items()
            assert request.params.url == f"http://127.0.0.1:8000/confirm/{confirmation_id}.s3cret"  # type: ignore[union-attr]
            assert (asked.meta or {})[ANSWERS_META][0]["confirmation"]["id"] == confirmation_id
            await house.commands.press("ann", confirmation_id)
            done = await call(client, asked, action="accept")
            again = await call(client, asked, action="accept")
    assert done.structured_content["outcome"] == again.structured_content["outcome"] == "confirmed"
    assert house.commands.carried_out == [("front_door_lock", "unlock")]


async def test_a_client_that_answers_yes_by_itself_opens_nothing(house: House, servers: dict[str, HomeServer]) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"], elicitation_callback=accept) as client:
            asked = await call(client)
            once_more = await call(client, asked, action="accept", content={"ok": True})
    assert isinstance(once_more, InputRequiredResult)
    assert once_more.input_requests == asked.input_requests
    assert house.commands.carried_out == []


async def test_a_client_that_declines_gets_a_plain_answer_and_the_question_stays(
    house: House, servers: dict[str, HomeServer]
) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"], elicitation_callback=decline) as client:
            result = await client.call_tool("control_device", UNLOCK)
    assert result.structured_content is not None
    assert result.structured_content["outcome"] == "asked"
    assert len(await house.stores.confirmations.open("ann", house.clock.now())) == 1


async def test_a_2025_client_gets_the_url_error_and_repeating_the_call_gives_the_outcome(
    house: House, servers: dict[str, HomeServer]
) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"], mode="legacy", elicitation_callback=accept) as client:
            with pytest.raises(MCPError) as caught:
                await client.call_tool("control_device", UNLOCK)
            (elicitation,) = caught.value.data["elicitations"]
            assert caught.value.code == -32042
            assert elicitation["url"].endswith(f"/confirm/{elicitation['elicitationId']}.s3cret")
            await house.commands.press("ann", elicitation["elicitationId"])
            result = await client.call_tool("control_device", UNLOCK)
    assert result.structured_content is not None
    assert result.structured_content["outcome"] == "confirmed"
    assert house.commands.carried_out == [("front_door_lock", "unlock")]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_without_elicitation_is_told_where_to_confirm(
    house: House, servers: dict[str, HomeServer], mode: str
) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"], mode=mode) as client:
            first = await client.call_tool("control_device", UNLOCK)
            assert first.structured_content is not None
            question = first.structured_content["confirmation"]
            assert first.structured_content["outcome"] == "asked"
            assert question["confirm_url"] in first.content[0].text  # type: ignore[union-attr]
            still = await client.call_tool("control_device", UNLOCK)
            assert still.structured_content is not None
            assert still.structured_content["confirmation"]["id"] == question["id"]
            await house.commands.press("ann", question["id"])
            result = await client.call_tool("control_device", UNLOCK)
    assert result.structured_content is not None
    assert result.structured_content["outcome"] == "confirmed"
    assert house.commands.carried_out == [("front_door_lock", "unlock")]


async def ask_plainly(client: Client) -> dict[str, Any]:
    content = (await client.call_tool("control_device", UNLOCK)).structured_content
    assert content is not None
    return content


async def test_what_was_told_once_is_asked_anew_the_next_time(house: House, servers: dict[str, HomeServer]) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"]) as client:
            first = await ask_plainly(client)
            await house.commands.press("ann", first["confirmation"]["id"])
            assert (await ask_plainly(client))["outcome"] == "confirmed"
            fresh = await ask_plainly(client)
    assert fresh["outcome"] == "asked"
    assert fresh["confirmation"]["id"] != first["confirmation"]["id"]


async def test_an_old_outcome_is_not_told_when_the_door_was_locked_again(
    house: House, servers: dict[str, HomeServer]
) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"]) as client:
            first = await ask_plainly(client)
            await house.commands.press("ann", first["confirmation"]["id"])
            house.clock.at += timedelta(minutes=2)
            await say(house.stores, "ann", "front_door_lock", house.clock.at, lock="locked")
            assert (await ask_plainly(client))["outcome"] == "asked"


async def test_a_no_and_a_silence_are_refusals(house: House, servers: dict[str, HomeServer]) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"], elicitation_callback=accept) as client:
            asked = await call(client)
            await house.commands.press("ann", next(iter(asked.input_requests)), approve=False)
            denied = await call(client, asked)
            asked = await call(client)
            house.clock.at += timedelta(minutes=6)
            late = await call(client, asked)
    assert (denied.structured_content["outcome"], late.structured_content["outcome"]) == ("refused", "refused")
    assert "said no" in denied.structured_content["reason"]
    assert "in time" in late.structured_content["reason"]
    assert house.commands.carried_out == []


async def test_state_is_good_only_for_the_same_person_call_and_arguments(
    house: House, servers: dict[str, HomeServer]
) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"], elicitation_callback=accept) as client:
            asked = await call(client)
    state = asked.request_state
    cases = [
        (ANN, "control_device", {"device_id": "back_door_lock", "command": "unlock"}, state),
        (ANN, "control_devices", {"device_ids": ["front_door_lock"], "command": "unlock"}, state),
        (ANN, "control_device", UNLOCK, state[:-2] + "AA"),
        (BOB, "control_device", UNLOCK, state),
    ]
    for principal, tool, arguments, state in cases:
        with acting_as(principal):
            async with Client(servers["devices"], elicitation_callback=accept) as client:
                with pytest.raises(MCPError, match="requestState"):
                    await client.session.call_tool(tool, arguments, allow_input_required=True, request_state=state)


async def test_what_needs_no_yes_is_done_while_the_rest_is_asked_and_the_state_keeps_both(
    house: House, servers: dict[str, HomeServer]
) -> None:
    both = {"device_ids": ["garage_door", "lamp"], "command": "toggle"}
    with acting_as(ANN):
        async with Client(servers["devices"], elicitation_callback=accept) as client:
            asked = await client.session.call_tool("control_devices", both, allow_input_required=True)
            assert isinstance(asked, InputRequiredResult)
            assert [a["outcome"] for a in (asked.meta or {})[ANSWERS_META]] == ["asked", "confirmed"]
            await house.commands.press("ann", next(iter(asked.input_requests or {})))
            done = await client.session.call_tool(
                "control_devices", both, allow_input_required=True, request_state=asked.request_state
            )
    assert isinstance(done, CallToolResult)
    assert done.structured_content is not None
    assert [r["outcome"] for r in done.structured_content["results"]] == ["confirmed", "confirmed"]
    assert sorted(house.commands.carried_out) == [("garage_door", "open"), ("lamp", "turn_off")]


async def test_partly_done_is_never_hidden_behind_the_url_error(house: House, servers: dict[str, HomeServer]) -> None:
    with acting_as(ANN):
        async with Client(servers["devices"], mode="legacy", elicitation_callback=accept) as client:
            result = await client.call_tool(
                "control_devices", {"device_ids": ["garage_door", "lamp"], "command": "toggle"}
            )
    assert result.structured_content is not None
    assert [r["outcome"] for r in result.structured_content["results"]] == ["asked", "confirmed"]


async def test_an_agent_is_answered_at_once_and_each_turn_asks_for_itself(
    house: House, servers: dict[str, HomeServer]
) -> None:
    ids = []
    for turn in ("t1", "t2"):
        agent = house.ann(caller="agent", turn=Turn(id=turn, thread_id="th", words="unlock the front door")).principal
        with acting_as(agent):
            async with Client(servers["devices"], elicitation_callback=accept) as client:
                before = house.clock.seconds
                asked = await call(client)
                assert isinstance(await call(client, asked), InputRequiredResult)
                assert house.clock.seconds == before
                ids.append(next(iter(asked.input_requests)))
                await house.commands.press("ann", ids[-1])
    assert ids[0] != ids[1]
