"""Replays scenarios and probes against a system that is passed in, and says which of them hold."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import yaml

from evals.assertions import judge_reply, judge_story
from evals.system import System
from homeguard.errors import HomeGuardError, InvalidInput, NotFound
from scenarios.schema import library, load_scenario

#: Probes in the words in which they were given first, then in other words, then in words the planner never learned.
_FILES: Final = ("acceptance.yaml", "probes.yaml", "unseen.yaml", "blind.yaml", "conversations.yaml", "everyday.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to try. `group` is what it is run and reported by: a probe's number or a scenario's name.

    `before` is what goes before a probe's sentence, in order, each `{what: how}`: `say` (words in the same
    conversation), `pass` (minutes), `plant` (`[carrier, text]`), `fail` (`[tool or devices, error or silence]`).
    """

    id: str
    group: str
    kind: str
    home: str
    text: str = ""
    expect: Mapping[str, Any]
    before: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How it went: `problems` is empty when it passed."""

    case: Case
    problems: Sequence[str]
    said: str
    duration_ms: float

    @property
    def passed(self) -> bool:
        return not self.problems


def cases() -> list[Case]:
    """Every case there is: scenarios that say what they expect, then probes, in the order of their files."""
    found = []
    for name in library():
        story = load_scenario(name)
        if story.expect:
            found.append(Case(id=name, group=name, kind="scenario", home=story.home, expect=story.expect))
    for file in _FILES:
        found += read_probes((resources.files("evals") / "cases" / file).read_text(encoding="utf-8"))
    return found


def read_probes(text: str) -> list[Case]:
    """The probes of a YAML document: `probes: [{id, home, text, expect}]`, some with `before` (see `Case`).

    Raises:
        InvalidInput: it is not of that form.
    """
    try:
        return [_probe(entry) for entry in yaml.safe_load(text)["probes"]]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise InvalidInput(f"probes are a list of id, home, text and expect: {error}", field="probes") from error


def _probe(entry: Mapping[str, Any]) -> Case:
    group = "-".join(str(entry["id"]).split("-")[:2])
    return Case(
        id=str(entry["id"]), group=group, kind="probe", home=str(entry["home"]), text=str(entry["text"]),
        expect=entry["expect"], before=tuple(entry.get("before", ())),
    )  # fmt: skip


def chosen(names: Sequence[str]) -> list[Case]:
    """The cases of these groups or ids, all for none.

    Raises:
        NotFound: a name is neither.
    """
    everything = cases()
    known = {c.group for c in everything} | {c.id for c in everything}
    unknown = [n for n in names if n not in known]
    if unknown:
        raise NotFound(f"there is no evaluation '{unknown[0]}'; homeguard eval list shows them")
    return [c for c in everything if not names or c.group in names or c.id in names]


async def run(
    system: System, wanted: Sequence[Case], *, repeat: int = 1, on_result: Callable[[Result], None] | None = None
) -> list[Result]:
    """Each case `repeat` times from a fresh state of its home; a case that breaks the system has failed."""
    if repeat < 1:
        raise InvalidInput("repeat is 1 or more", field="repeat")
    results = []
    for case in wanted:
        for _ in range(repeat):
            result = await _one(system, case)
            results.append(result)
            if on_result is not None:
                on_result(result)
    return results


async def _one(system: System, case: Case) -> Result:
    begun = time.perf_counter()
    said = ""
    try:
        await system.reset(case.home)
        if case.kind == "scenario":
            story = await system.tell(case.id, case.home)
            problems, said = judge_story(story, case.expect), story.status
        else:
            spoken = await led_up_to(system, case)
            reply = await system.say(case.home, case.text, go_on=spoken)
            problems, said = judge_reply(reply, case.expect), reply.answer
    except HomeGuardError as error:
        problems = [f"{error.code}: {error.message}"]
    except Exception as error:
        problems = [f"{type(error).__name__}: {error}"]
    return Result(case=case, problems=problems, said=said, duration_ms=(time.perf_counter() - begun) * 1000)


async def led_up_to(system: System, case: Case) -> bool:
    """What goes before the sentence of a case; whether something was said."""
    spoken = False
    for step in case.before:
        [(what, how)] = step.items()
        match what:
            case "say":
                await system.say(case.home, str(how), go_on=spoken)
                spoken = True
            case "pass":
                await system.let_pass(float(how))
            case "plant":
                await system.plant(case.home, *how)
            case "fail":
                await system.fail(case.home, *how)
            case _:
                raise InvalidInput(f"nothing is known to go before that is called '{what}'", field="before")
    return spoken
