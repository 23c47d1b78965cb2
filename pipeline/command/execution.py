"""Hands a journalled command to its device's driver, waits for the device's word, and writes down what came of it."""

import asyncio
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from homeguard.clock import Clock, iso
from homeguard.errors import DriverFailed, HomeGuardError
from homeguard.gate import Verdict
from homeguard.ids import derived_id
from homeguard.model import Command, Device, Effect, Event, Json, Metadata, Outcome
from homeguard.ports.journal import Journal
from homeguard.ports.live_state import Live, LiveFeed
from pipeline.command.show import show_result
from pipeline.command.waiting import Reports
from pipeline.command.words import CommandResult
from pipeline.drivers.protocol import Driver
from pipeline.intake.intake import Intake
from pipeline.topics import AGENT_ACTED

log = logging.getLogger("homeguard.command")

#: Callers whose commands are told in the topic `agent-actions`: our assistant, and programs that act for a person.
ASSISTANTS: Final = ("agent", "client")


class Execution:
    """The last step of every command: drive, wait, journal, tell. Outcomes are those of `model.Outcome`."""

    def __init__(
        self,
        *,
        drivers: Mapping[str, Driver],
        journal: Journal,
        feed: LiveFeed,
        intake: Intake,
        reports: Reports,
        clock: Clock,
        confirm_timeout_s: float,
    ) -> None:
        self._drivers = drivers
        self._journal = journal
        self._feed = feed
        self._intake = intake
        self._reports = reports
        self._clock = clock
        self._confirm_timeout_s = confirm_timeout_s

    async def drive(self, device: Device, effect: Effect, command: Command, verdict: Verdict) -> CommandResult:
        outcome, reason = await self._hand_over(device, command)
        await self._journal.finish(command.home_id, command.id, outcome, reason, self._clock.now())
        result = result_of(effect, verdict, command.id, outcome, reason)
        await self._feed.publish(
            [Live(home_id=command.home_id, kind="command", data={"type": "command", **show_result(result)})]
        )
        await self.record(command, outcome, reason)
        return result

    async def _hand_over(self, device: Device, command: Command) -> tuple[Outcome, str]:
        driver = self._drivers.get(str(device.binding.get("driver", "")))
        if driver is None:
            return "failed", f"HomeGuard has no connection to {device.name}"
        if self._clock.now() > command.not_after:
            return "failed", "it took too long to be sent; say it again"
        async with self._reports.watching(command.home_id, device.id) as spoke:
            try:
                async with asyncio.timeout(self._confirm_timeout_s + 5):
                    await driver.send(device, command)
            except DriverFailed as error:
                return "failed", error.message
            except TimeoutError:
                return "failed", f"{device.name} could not be reached in time"
            except Exception:
                log.exception("driver of %s", device.id)
                return "failed", f"the connection to {device.name} broke"
            if not command.set:
                return "sent", ""
            if await self._reports.until(spoke, command.home_id, device.id, command.set, self._confirm_timeout_s):
                return "confirmed", ""
        return "sent", f"{device.name} has not confirmed it yet"

    async def record(self, command: Command, outcome: Outcome, reason: str) -> None:
        """Append the outcome to the log, in the same append for those who follow what assistants do. Safe to repeat: a
        command has one such event."""
        now = self._clock.now()
        event = Event(
            home_id=command.home_id,
            event_id=result_event_id(command),
            event_type="command_result",
            at=now,
            received_at=now,
            device_id=command.device_id,
            user_id=command.user_id,
            payload={
                "command_id": command.id, "command": command.command, "set": dict(command.set), "outcome": outcome,
                "reason": reason, "caller": command.caller, "requested_at": iso(command.requested_at),
            },
            metadata=Metadata(),
            source="core",
            trust="core",
            cause=command.id,
        )  # fmt: skip
        told = [event]
        if command.caller in ASSISTANTS:
            told.append(
                replace(
                    event, event_id=derived_id(AGENT_ACTED, command.home_id, command.id), event_type=AGENT_ACTED,
                    payload={
                        **event.payload, "parameters": dict(command.parameters), "tier": command.tier,
                        "cause": command.cause, "confirmation_id": command.grant_id,
                    },
                )
            )  # fmt: skip
        try:
            await self._intake.submit(told)
        except HomeGuardError:
            log.warning("the outcome of command %s is in the journal, not in the log", command.id)


def result_event_id(command: Command) -> str:
    return derived_id("command_result", command.home_id, command.id)


def result_of(
    effect: Effect,
    verdict: Verdict,
    command_id: str,
    outcome: str,
    reason: str,
    data: Mapping[str, Json] = MappingProxyType({}),
) -> CommandResult:
    return CommandResult(
        command_id=command_id,
        outcome=outcome,  # type: ignore[arg-type]
        device_id=effect.device_id,
        device_name=effect.device_name,
        command=effect.command or effect.kind,
        set=effect.set,
        before=effect.before,
        reason=reason,
        rule=verdict.rule,
        tier=verdict.tier,
        data=data,
    )
