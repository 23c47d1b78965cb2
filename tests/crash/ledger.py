"""What a client was promised, and whether the home kept it: the judge of the kill tests. No I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Ledger:
    """What was sent, by id, and what of it was acknowledged. What was not is sent again under the same id.

    `answers` are the acknowledged commands, by the client's own key; `orders` all of them that were sent.
    """

    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    again: list[dict[str, Any]] = field(default_factory=list)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    orders_again: list[str] = field(default_factory=list)

    @property
    def promises(self) -> int:
        return len(self.acknowledged) + len(self.answers)


def faults(
    ledger: Ledger, stored: Iterable[str], results: Iterable[Mapping[str, Any]], executed: Iterable[str]
) -> list[str]:
    """A sentence for each broken promise; empty when all were kept.

    `stored` are the ids of the events that the client could have sent, `results` the payloads of `command_result`
    events, `executed` the command ids of what devices were really told, once for each time.
    """
    count = Counter(stored)
    broken = [f"lost: {i}" for i in sorted(ledger.acknowledged - count.keys())]
    broken += [f"stored {n} times: {i}" for i, n in sorted(count.items()) if n > 1]
    broken += [f"never sent: {i}" for i in sorted(count.keys() - ledger.sent.keys())]
    known = {answer["command_id"]: key for key, answer in ledger.answers.items()}
    told = list(results)
    outcomes = Counter(str(result["command_id"]) for result in told)
    broken += [f"two orders are one command: {c}" for c, n in _twice(a["command_id"] for a in ledger.answers.values())]
    broken += [f"{n} results of command {c}" for c, n in sorted(outcomes.items()) if n > 1]
    broken += [f"no result of command {c} ({known[c]})" for c in sorted(known.keys() - outcomes.keys())]
    broken += [f"a command that nobody sent: {c}" for c in sorted(outcomes.keys() - known.keys())]
    for result in told:
        key = known.get(str(result["command_id"]))
        if key is not None and ledger.answers[key]["outcome"] != result["outcome"]:
            broken.append(f"{key} was answered {ledger.answers[key]['outcome']} and stands as {result['outcome']}")
    done = Counter(executed)
    broken += [f"executed {n} times: {c}" for c, n in sorted(done.items()) if n > 1]
    broken += [
        f"confirmed and never executed: {answer['command_id']}"
        for answer in ledger.answers.values()
        if answer["outcome"] == "confirmed" and answer["command_id"] not in done
    ]
    broken += [
        f"failed and yet executed: {answer['command_id']}"
        for answer in ledger.answers.values()
        if answer["outcome"] == "failed" and answer["command_id"] in done
    ]
    return broken


def _twice(ids: Iterable[str]) -> list[tuple[str, int]]:
    return sorted((i, n) for i, n in Counter(ids).items() if n > 1)
