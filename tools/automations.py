"""The rules of the home: making and changing them (through the gate), listing and deleting them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from homeguard.automation import compile as compile_automation
from homeguard.automation import is_timed, parse, version_hash
from homeguard.clock import iso
from homeguard.errors import InvalidInput, NotFound
from homeguard.ids import new_id
from homeguard.model import Automation, Effect, Home, Json
from homeguard.triggers import told
from pipeline.planning import first
from tools.answers import CommandAnswer, answer_of
from tools.context import ToolContext, check_identity, the_home
from tools.shapes import SHAPE
from tools.text import clean, clean_object

#: Rules in one home: enough for people, too few to drown the reflexes.
MAX_AUTOMATIONS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationLine:
    __pydantic_config__: ClassVar = SHAPE
    id: str
    name: str
    trigger: Mapping[str, Any]
    conditions: tuple[Mapping[str, Any], ...]
    actions: tuple[Mapping[str, Any], ...]
    enabled: bool
    created_at: str | None
    next_run_at: str | None = None
    """When the clock sets it off next (UTC); null for one that something else sets off, or that is switched off"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Automations:
    __pydantic_config__: ClassVar = SHAPE
    automations: tuple[AutomationLine, ...]
    """By name"""


async def create_automation(
    context: ToolContext,
    *,
    name: str,
    trigger: Mapping[str, Any],
    actions: Sequence[Mapping[str, Any]],
    conditions: Sequence[Mapping[str, Any]] = (),
    user_id: str = "",
) -> CommandAnswer:
    """Make a rule that fires from now on. It is checked against the home's devices before anyone is asked.

    Raises:
        DeviceNotFound, InvalidInput: a part of it is unknown, out of bounds, or names what the home does not have.
        HomeMismatch: `user_id` is another's.
    """
    check_identity(context, user_id)
    home = await the_home(context)
    body = {"name": name, "trigger": trigger, "actions": list(actions), "conditions": list(conditions)}
    draft = _read(context, home, body, new_id())
    if len(await context.automations.of_home(home.id)) >= MAX_AUTOMATIONS:
        raise InvalidInput(f"a home has at most {MAX_AUTOMATIONS} automations; delete one first", field="name")
    effect = Effect(
        kind="create_automation", parameters=_parameters(draft, home), contains=await _effects(context, home, draft)
    )
    return answer_of(await context.commands.act(context.principal, effect), context.base_url)


async def update_automation(
    context: ToolContext,
    *,
    automation_id: str,
    enabled: bool | None = None,
    name: str = "",
    trigger: Mapping[str, Any] | None = None,
    conditions: Sequence[Mapping[str, Any]] | None = None,
    actions: Sequence[Mapping[str, Any]] | None = None,
) -> CommandAnswer:
    """Change a rule; what is left out stays. It is judged by all that it would do then, as a new one is, unless it is
    only named or switched off.

    Raises:
        NotFound: this home has none of that id.
        DeviceNotFound, InvalidInput: as `create_automation`, or nothing is to be changed.
    """
    home = await the_home(context)
    before = await _known(context, automation_id)
    body = {
        "name": name or before.name,
        "trigger": before.trigger if trigger is None else trigger,
        "conditions": list(before.conditions if conditions is None else conditions),
        "actions": list(before.actions if actions is None else actions),
        "enabled": before.enabled if enabled is None else enabled,
    }
    draft = _read(context, home, body, before.id, same_time=trigger is None)
    if (draft.name, draft.enabled, draft.version) == (before.name, before.enabled, version_hash(before)):
        raise InvalidInput("say what to change: it is like this already", field="automation")
    is_tamer = draft.version == version_hash(before) and (before.enabled or not draft.enabled)
    effect = Effect(
        kind="update_automation",
        parameters={"id": before.id, **_parameters(draft, home), "enabled": draft.enabled},
        contains=() if is_tamer else await _effects(context, home, draft),
        before={"version": version_hash(before)},
    )
    return answer_of(await context.commands.act(context.principal, effect), context.base_url)


async def list_automations(context: ToolContext) -> Automations:
    """All rules of the home, by name."""
    found = await context.automations.of_home(context.home_id)
    home, now = await the_home(context), context.clocks.now(context.home_id)
    return Automations(automations=tuple(_line(a, next_run(a, home, now)) for a in found[:MAX_AUTOMATIONS]))


def next_run(automation: Automation, home: Home, now: datetime) -> datetime | None:
    """When the clock sets it off next, by the home's clock; None when it does not."""
    if not automation.enabled or not is_timed(automation):
        return None
    at = first(automation, now, home)
    return at if at is not None and at > now else None


async def delete_automation(context: ToolContext, *, automation_id: str) -> CommandAnswer:
    """Delete one rule.

    Raises:
        NotFound: this home has none of that id.
    """
    found = await _known(context, automation_id)
    effect = Effect(kind="delete_automation", parameters={"id": found.id, "name": found.name})
    return answer_of(await context.commands.act(context.principal, effect), context.base_url)


async def _known(context: ToolContext, automation_id: str) -> Automation:
    found = await context.automations.get(context.home_id, automation_id) if len(automation_id) <= 200 else None
    if found is None:
        raise NotFound("there is no such automation in this home", code="AUTOMATION_NOT_FOUND", field="automation_id")
    return found


def _read(
    context: ToolContext, home: Home, body: Mapping[str, Any], automation_id: str, *, same_time: bool = False
) -> Automation:
    """The rule as it is asked for; with `same_time` a moment that is over may stand in it."""
    return parse(
        body, home_id=home.id, automation_id=automation_id, created_by=context.principal.user_id, home=home,
        home_now=None if same_time else context.clocks.now(home.id),
    )  # fmt: skip


async def _effects(context: ToolContext, home: Home, draft: Automation) -> tuple[Effect, ...]:
    devices = await context.devices.of_home(home.id)
    return compile_automation(draft, devices, "F" if home.unit_system == "us" else "C")


def _parameters(draft: Automation, home: Home) -> dict[str, Json]:
    """What is stored when a person said yes; `when` is for the card of one that goes by the clock."""
    parameters: dict[str, Json] = {
        "name": draft.name,
        "trigger": draft.trigger,
        "conditions": list(draft.conditions),
        "actions": list(draft.actions),
        "version": draft.version,
    }
    when = told(draft.trigger, home)
    return {**parameters, "when": when} if when else parameters


def _line(automation: Automation, next_at: datetime | None) -> AutomationLine:
    return AutomationLine(
        id=automation.id,
        name=clean(automation.name),
        trigger=clean_object(automation.trigger),
        conditions=tuple(clean_object(c) for c in automation.conditions),
        actions=tuple(clean_object(a) for a in automation.actions),
        enabled=automation.enabled,
        created_at=iso(automation.created_at) if automation.created_at is not None else None,
        next_run_at=iso(next_at) if next_at is not None else None,
    )
