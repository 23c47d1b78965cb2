"""The rules of the home: making one (through the gate), listing and deleting them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from homeguard.automation import compile as compile_automation
from homeguard.automation import parse
from homeguard.clock import iso
from homeguard.errors import InvalidInput, NotFound
from homeguard.ids import new_id
from homeguard.model import Automation, Effect, Json
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
    draft = parse(body, home_id=home.id, automation_id=new_id(), created_by=context.principal.user_id)
    if len(await context.automations.of_home(home.id)) >= MAX_AUTOMATIONS:
        raise InvalidInput(f"a home has at most {MAX_AUTOMATIONS} automations; delete one first", field="name")
    devices = await context.devices.of_home(home.id)
    effects = compile_automation(draft, devices, "F" if home.unit_system == "us" else "C")
    parameters: dict[str, Json] = {
        "name": draft.name,
        "trigger": draft.trigger,
        "conditions": list(draft.conditions),
        "actions": list(draft.actions),
        "version": draft.version,
    }
    effect = Effect(kind="create_automation", parameters=parameters, contains=effects)
    return answer_of(await context.commands.act(context.principal, effect), context.base_url)


async def list_automations(context: ToolContext) -> Automations:
    """All rules of the home, by name."""
    found = await context.automations.of_home(context.home_id)
    return Automations(automations=tuple(_line(a) for a in found[:MAX_AUTOMATIONS]))


async def delete_automation(context: ToolContext, *, automation_id: str) -> CommandAnswer:
    """Delete one rule.

    Raises:
        NotFound: this home has none of that id.
    """
    found = await context.automations.get(context.home_id, automation_id) if len(automation_id) <= 200 else None
    if found is None:
        raise NotFound("there is no such automation in this home", code="AUTOMATION_NOT_FOUND", field="automation_id")
    effect = Effect(kind="delete_automation", parameters={"id": found.id, "name": found.name})
    return answer_of(await context.commands.act(context.principal, effect), context.base_url)


def _line(automation: Automation) -> AutomationLine:
    return AutomationLine(
        id=automation.id,
        name=clean(automation.name),
        trigger=clean_object(automation.trigger),
        conditions=tuple(clean_object(c) for c in automation.conditions),
        actions=tuple(clean_object(a) for a in automation.actions),
        enabled=automation.enabled,
        created_at=iso(automation.created_at) if automation.created_at is not None else None,
    )
