"""What a client was promised, and whether the home kept it: the judge of the crash tests. No I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass(slots=True)
class Ledger:
    """What was sent, by id, and what of it was acknowledged. What was not is sent again under the same id.

    `alarms` are those of `sent` that raise an alert and set off the automation. `answers` are the acknowledged
    commands, by the client's own key; `orders` all of them that were sent. `when` has the moment of each
    acknowledgement (an id's or a key's), CLOCK_MONOTONIC in nanoseconds.
    """

    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    again: list[dict[str, Any]] = field(default_factory=list)
    alarms: set[str] = field(default_factory=set)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    orders_again: list[str] = field(default_factory=list)
    when: dict[str, int] = field(default_factory=dict)

    def until(self, at: int) -> "Ledger":
        """The same as it stood at that moment."""
        return Ledger(
            sent=self.sent, alarms=self.alarms, orders=self.orders,
            acknowledged={i for i in self.acknowledged if self.when[i] <= at},
            answers={key: answer for key, answer in self.answers.items() if self.when[key] <= at},
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the home has in the end. Each sequence has one item for each time that something is there.

    `stored` are ids of events that the client could have sent, `results` the payloads of `command_result` events,
    `executed` ids of commands that devices were really told, `alerted` the causes of alerts, `raised` those of
    `alert_raised` events, `ran` (cause, command ids) of `automation_ran` events, `told` the causes of the automation's
    messages, `warned` those of the alerts' messages.
    """

    stored: Sequence[str]
    results: Sequence[Mapping[str, Any]] = ()
    executed: Sequence[str] = ()
    alerted: Sequence[str] = ()
    raised: Sequence[str] = ()
    ran: Sequence[tuple[str, Sequence[str]]] = ()
    told: Sequence[str] = ()
    warned: Sequence[str] = ()


def faults(ledger: Ledger, found: Found) -> list[str]:
    """A sentence for each broken promise; empty when all were kept."""
    return _lost_or_doubled(ledger, found) + _commands(ledger, found) + _effects(ledger, found)


def is_loss(fault: str) -> bool:
    return fault.startswith(("lost", "no ", "confirmed and never"))


def _lost_or_doubled(ledger: Ledger, found: Found) -> list[str]:
    count = Counter(found.stored)
    broken = [f"lost: {i}" for i in sorted(ledger.acknowledged - count.keys())]
    broken += [f"stored {n} times: {i}" for i, n in sorted(count.items()) if n > 1]
    broken += [f"never sent: {i}" for i in sorted(count.keys() - ledger.sent.keys())]
    return broken


def _bears_out(other: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """Whether the report that followed the one command is the device's word for the other: the same is so since."""
    if "requested_at" not in other or "requested_at" not in result or other["set"] != result["set"]:
        return False
    later = datetime.fromisoformat(other["requested_at"]) - datetime.fromisoformat(result["requested_at"])
    # one that was asked for a little earlier may have been carried out later
    return later >= timedelta(seconds=-10)


def _commands(ledger: Ledger, found: Found) -> list[str]:
    known = {answer["command_id"]: key for key, answer in ledger.answers.items()}
    by_rule = {command for _, commands in found.ran for command in commands}
    outcomes = Counter(str(result["command_id"]) for result in found.results)
    broken = [f"two orders are one command: {c}" for c, n in _twice(a["command_id"] for a in ledger.answers.values())]
    broken += [f"{n} results of command {c}" for c, n in sorted(outcomes.items()) if n > 1]
    broken += [f"no result of command {c} ({known[c]})" for c in sorted(known.keys() - outcomes.keys())]
    # an order whose answer never came has a command of an id that the client does not know
    if ledger.orders.keys() == ledger.answers.keys():
        strange = outcomes.keys() - known.keys() - by_rule
        broken += [f"a command that nobody sent: {c}" for c in sorted(strange)]
    for result in found.results:
        key = known.get(str(result["command_id"]))
        if key is not None and ledger.answers[key]["outcome"] != result["outcome"]:
            broken.append(f"{key} was answered {ledger.answers[key]['outcome']} and stands as {result['outcome']}")
    done = Counter(found.executed)
    broken += [f"executed {n} times: {c}" for c, n in sorted(done.items()) if n > 1]
    for result in found.results:
        command = str(result["command_id"])
        is_borne = command in done or any(_bears_out(r, result) for r in found.results if r["command_id"] in done)
        if result["outcome"] == "confirmed" and not is_borne:
            broken.append(f"confirmed and never executed: {command}")
        if result["outcome"] == "failed" and command in done and command in known:
            broken.append(f"failed and yet executed: {command}")
    return broken


def _effects(ledger: Ledger, found: Found) -> list[str]:
    """Every alarm that was stored was followed by each of its effects, once."""
    due = ledger.alarms & set(found.stored)
    broken: list[str] = []
    counted = {
        "alerts": Counter(found.alerted), "alerts in the log": Counter(found.raised),
        "runs of the automation": Counter(cause for cause, _ in found.ran),
        "messages of the automation": Counter(found.told),
    }  # fmt: skip
    for what, count in counted.items():
        broken += [f"no {what} for {i}" for i in sorted(due - count.keys())]
        broken += [f"{n} {what} for {i}" for i, n in sorted(count.items()) if n > 1 and i in due]
        broken += [f"{what} for nothing: {i}" for i in sorted(count.keys() - due)]
    broken += [f"{n} warnings for {i}" for i, n in _twice(found.warned)]
    results = {str(result["command_id"]) for result in found.results}
    for cause, commands in found.ran:
        broken += [f"no result of command {c} (the automation, {cause})" for c in commands if c not in results]
    return broken


def _twice(ids: Iterable[str]) -> list[tuple[str, int]]:
    return sorted((i, n) for i, n in Counter(ids).items() if n > 1)
