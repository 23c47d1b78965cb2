"""The rules of a home."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Path, Response

from api import shapes, wire
from api.access import Controller, Reader
from api.deps import ApiDeps, Deps
from api.query import Cursor, Limit, clamp, page
from api.routing import reply, router
from api.tool_context import context_of
from homeguard.errors import NotFound
from homeguard.model import Automation, Effect, Principal
from homeguard.named import home_named
from pipeline.command.show import show_confirmation
from tools.answers import CommandAnswer
from tools.automations import create_automation, next_run, update_automation

routes = router("/automations", "automations")


@routes.get("", response_model=wire.Page[wire.AutomationView])
async def automations(principal: Reader, deps: Deps, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """The rules of the home, by name."""
    rules = await deps.automations.of_home(principal.home_id)
    part, more = page(rules, lambda r: r.id, clamp(limit), cursor)
    return reply({"items": await _shown(part, principal, deps), "next_cursor": more})


@routes.post(
    "",
    status_code=201,
    response_model=wire.AutomationMade,
    responses={
        200: {"model": wire.CommandAnswer, "description": "refused"},
        202: {"model": wire.Asked, "description": "a person must say yes first"},
    },
)
async def create(body: wire.NewAutomation, principal: Controller, deps: Deps) -> Response:
    """Make a rule, exactly as the tool does: through the gate, judged by what it would do."""
    told = await create_automation(
        context_of(principal, deps),
        name=body.name,
        trigger=body.trigger,
        actions=body.actions,
        conditions=body.conditions,
    )
    return await _answered(told, 201, principal, deps)


@routes.patch(
    "/{automation_id}",
    response_model=wire.AutomationMade,
    responses={202: {"model": wire.Asked, "description": "a person must say yes first"}},
)
async def change(
    automation_id: Annotated[str, Path(min_length=1, max_length=128)],
    body: wire.ChangedAutomation,
    principal: Controller,
    deps: Deps,
) -> Response:
    """Change a rule, switch it on or off: through the gate, judged by what it would do then."""
    told = await update_automation(
        context_of(principal, deps),
        automation_id=automation_id,
        enabled=body.enabled,
        name=body.name or "",
        trigger=body.trigger,
        conditions=body.conditions,
        actions=body.actions,
    )
    return await _answered(told, 200, principal, deps)


@routes.delete(
    "/{automation_id}",
    response_model=wire.CommandAnswer,
    responses={202: {"model": wire.Asked, "description": "a person must say yes first"}},
)
async def delete(
    automation_id: Annotated[str, Path(min_length=1, max_length=128)], principal: Controller, deps: Deps
) -> Response:
    """Delete a rule, through the gate like every act."""
    rule = await deps.automations.get(principal.home_id, automation_id)
    if rule is None:
        raise NotFound("there is no such automation in this home", code="AUTOMATION_NOT_FOUND")
    effect = Effect(kind="delete_automation", parameters={"id": rule.id, "name": rule.name})
    result = await deps.commands.act(principal, effect)
    if result.outcome == "asked":
        return reply(shapes.asked(result), 202)
    return reply(shapes.command(result))


async def _answered(told: CommandAnswer, made: int, principal: Principal, deps: ApiDeps) -> Response:
    """The card that it needs (202), the rule as it is now (`made`), or why not."""
    if told.confirmation is not None:
        card = await deps.commands.confirmation(principal, told.confirmation.id)
        shown = {"confirmation": show_confirmation(card), "command_id": told.command_id}
        return reply({**shown, "outcome": "asked", "device": ""}, 202)
    answer = {
        "command_id": told.command_id,
        "outcome": told.outcome,
        "device": "",
        "device_name": "",
        "command": told.command,
        "set": dict(told.set),
        "reason": told.reason,
    }
    rule = await deps.automations.get(principal.home_id, str((told.data or {}).get("automation_id", "")))
    if rule is None:
        return reply(answer)
    [shown_rule] = await _shown([rule], principal, deps)
    return reply({**answer, "automation": shown_rule}, made)


async def _shown(rules: Sequence[Automation], principal: Principal, deps: ApiDeps) -> list[shapes.Shown]:
    home, now = await home_named(deps.users, principal.home_id), deps.clocks.now(principal.home_id)
    return [shapes.automation(rule, next_run(rule, home, now)) for rule in rules]
