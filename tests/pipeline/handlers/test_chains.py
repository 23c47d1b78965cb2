"""Who is behind a run of an automation: how long the chain is, and whether a device or a person began it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homeguard.model import Command, Event
from pipeline.handlers.chains import MAX_DEPTH, WINDOW, Chains, Origin

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOW).total_seconds()

    async def sleep(self, delay_s: float) -> None:
        raise AssertionError("nothing waits here")


def decided(device_id: str = "lamp", **payload: Any) -> Event:
    return Event(home_id="h1", event_id="d", event_type="command_requested", at=NOW, received_at=NOW,
                 payload={"device_id": device_id, "trust": "device", **payload}, trust="core")  # fmt: skip


def command(caller: str, outcome: str = "confirmed", at: datetime = NOW, **more: Any) -> Command:
    rest = {"id": f"c-{caller}-{outcome}", "home_id": "h1", "device_id": "lamp", "caller": caller, "outcome": outcome}
    return Command(command="turn_on", parameters={}, set={"on": True}, before={}, tier=1, user_id="u", cause="",
                   requested_at=at, not_after=at + timedelta(seconds=60), **{**rest, **more})  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(
    ("caller", "outcome", "seconds_ago", "genuine"),
    [
        ("agent", "confirmed", 0, False),
        ("agent", "sent", 59, False),
        ("client", "pending", 0, False),
        ("agent", "failed", 0, True),
        ("agent", "confirmed", 61, True),
        ("person", "confirmed", 0, True),
        ("system", "confirmed", 0, True),
        # which run it was is not known any more
        ("automation", "confirmed", 0, False),
    ],
)
async def test_whose_command_the_device_just_had_decides(stores, caller, outcome, seconds_ago, genuine) -> None:
    clock = Clock()
    told = command(caller, "pending", NOW - timedelta(seconds=seconds_ago))
    await stores.journal.begin(told)
    if outcome != "pending":
        await stores.journal.finish("h1", told.id, outcome, "", NOW)

    assert await Chains(stores.journal, clock).behind(decided()) == Origin(1, genuine)
    assert await Chains(stores.journal, clock).behind(decided("door")) == Origin(1, is_genuine=True)


async def test_a_report_that_names_its_command_is_that_commands_however_late(stores) -> None:
    told = command("agent", "pending", NOW - timedelta(hours=1))
    await stores.journal.begin(told)
    chains = Chains(stores.journal, Clock())

    assert (await chains.behind(decided(event_cause=told.id))).is_genuine is False
    assert (await chains.behind(decided(event_cause="unheard of"))).is_genuine is True


@pytest.mark.parametrize(
    ("payload", "genuine"),
    [
        ({"trust": "third_party"}, False),
        ({"device_id": "", "trust": "core", "by": "agent"}, False),
        ({"device_id": "", "trust": "core", "by": "client"}, False),
        ({"device_id": "", "trust": "core", "by": "person"}, True),
        ({}, True),
    ],
)
async def test_what_third_parties_and_programs_say_is_nobodys_word(stores, payload, genuine) -> None:
    given = {"device_id": "lamp", **payload}
    assert (await Chains(stores.journal, Clock()).behind(decided(**given))).is_genuine is genuine
    assert (await Chains(None, Clock()).behind(decided(**given))).is_genuine is genuine


@pytest.mark.parametrize("genuine", [True, False])
async def test_a_run_inherits_from_the_run_that_moved_its_device(stores, genuine) -> None:
    clock = Clock()
    chains = Chains(stores.journal, clock)
    await stores.journal.begin(command("automation"))
    chains.note(decided("motion"), "lamp", Origin(MAX_DEPTH, genuine))

    assert await chains.behind(decided()) == Origin(MAX_DEPTH + 1, genuine)
    clock.at += WINDOW + timedelta(seconds=1)
    assert await chains.behind(decided()) == Origin(1, is_genuine=True)


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.handlers.chains._REMEMBERED", 2)
    chains = Chains(None, Clock())
    for name in ("a", "b", "c"):
        chains.note(decided(), name, Origin(3, is_genuine=True))

    assert [(await chains.behind(decided(name))).depth for name in ("a", "b", "c")] == [1, 4, 4]
