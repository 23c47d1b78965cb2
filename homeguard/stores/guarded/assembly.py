"""Puts the guarded stores together: which port is asked where, and what follows what."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from homeguard.clock import Clock
from homeguard.ports.log import Log
from homeguard.ports.spool import Spool
from homeguard.ports.stores import Stores
from homeguard.stores.guarded.alerts import ForwardedAlerts
from homeguard.stores.guarded.audit import GuardedAudit
from homeguard.stores.guarded.automations import GuardedAutomations
from homeguard.stores.guarded.confirmations import GuardedConfirmations
from homeguard.stores.guarded.conversations import GuardedConversations
from homeguard.stores.guarded.copies import LocalCopy
from homeguard.stores.guarded.counters import GuardedContexts, GuardedLimits
from homeguard.stores.guarded.devices import GuardedDevices
from homeguard.stores.guarded.engine import GuardedEngine
from homeguard.stores.guarded.events import GuardedAnomalies, GuardedEvents
from homeguard.stores.guarded.feed import bridge
from homeguard.stores.guarded.followed import Followed
from homeguard.stores.guarded.forwarder import Forwarder, forward
from homeguard.stores.guarded.journal import GuardedJournal
from homeguard.stores.guarded.lists import GuardedLists
from homeguard.stores.guarded.live_state import GuardedLive, learn_states, mirror
from homeguard.stores.guarded.log import GuardedLog
from homeguard.stores.guarded.memory import GuardedMemory
from homeguard.stores.guarded.near import MergedLive, NearAutomations, NearDevices, NearUsers
from homeguard.stores.guarded.outbox import ForwardedOutbox
from homeguard.stores.guarded.permissions import GuardedPermissions
from homeguard.stores.guarded.personal import GuardedErasures, GuardedPersonalData
from homeguard.stores.guarded.pins import GuardedPins
from homeguard.stores.guarded.readings import GuardedReadings
from homeguard.stores.guarded.replicas import Replica, UsersReplica, automations_replica, devices_replica, replicate
from homeguard.stores.guarded.schedules import GuardedSchedules
from homeguard.stores.guarded.sessions import GuardedSessions
from homeguard.stores.guarded.takers import TAKERS
from homeguard.stores.guarded.users import GuardedUsers

#: Engines with rows about people, by which an erasure goes; people themselves go last.
_KEEPS_PERSONS: Final = ("Scylla", "TimescaleDB", "MongoDB", "Redis", "PostgreSQL")

Engines = Mapping[str, GuardedEngine[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """`waiting`: technology -> rows that wait in the spool for it. `in_step_at`: when this folder's copy of a concern
    was last the same as the engine's; now, where the folder has the only one; None: not since the start."""

    stores: Stores
    near: Stores
    stream: Log | None
    waiting: Callable[[], Mapping[str, int]]
    in_step_at: Callable[[str], datetime | None]


async def assemble(
    local: Stores,
    engines: Engines,
    spool: Spool,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    keeps_live: bool,
    is_shared: bool,
    followed: Followed | None = None,
) -> Assembled:
    """The stores of `engines` in front of the `local` ones; what works beside them ends with `stack`.

    Concerns without an engine stay local.
    """
    stores = near = local
    forwarders: dict[str, Forwarder] = {}
    replicas: list[Replica] = []
    copied: list[LocalCopy[Any]] = []

    async def forwarder(name: str) -> Forwarder:
        made = await stack.enter_async_context(forward(engines[name], spool, clock, TAKERS))
        forwarders[name] = made
        return made

    async def gone(home_id: str, device_id: str) -> None:
        """Another process deleted it: its state would be handed over again from here."""
        if keeps_live:
            await near.live.forget(home_id, device_id)

    if (postgres := engines.get("PostgreSQL")) is not None:
        passed_on = await forwarder("PostgreSQL")
        people = LocalCopy("users", local.users)
        users = GuardedUsers(postgres, people)
        journal = GuardedJournal(postgres, local.journal, passed_on, is_shared=is_shared)
        stores = replace(
            stores,
            users=users,
            sessions=GuardedSessions(postgres, passed_on, clock),
            journal=journal,
            confirmations=GuardedConfirmations(postgres, journal, passed_on),
            audit=GuardedAudit(postgres, passed_on),
            pins=GuardedPins(postgres),
            permissions=GuardedPermissions(postgres, local.permissions, is_shared=is_shared),
            outbox=ForwardedOutbox(local.outbox, postgres, passed_on),
            lists=GuardedLists(postgres),
            erasures=GuardedErasures(postgres, local.erasures),
        )
        if is_shared:
            # a process that is alone keeps these in its folder, so that a timer rings while the engine is away
            stores = replace(stores, schedules=GuardedSchedules(postgres))
        replicas.append(UsersReplica(postgres, people))
        copied.append(people)
        near = replace(stores, users=NearUsers(local.users, users))
    if (mongo := engines.get("MongoDB")) is not None:
        passed_on = await forwarder("MongoDB")
        things = LocalCopy("devices", local.devices, followed)
        rules = LocalCopy("automations", local.automations, followed)
        devices, automations = GuardedDevices(mongo, things), GuardedAutomations(mongo, rules)
        said = GuardedConversations(mongo, local.conversations, passed_on)
        remembered = LocalCopy("memory", local.memory)
        kept = GuardedMemory(mongo, remembered)
        copied += [things, rules, remembered]
        stores = replace(stores, devices=devices, automations=automations, conversations=said, memory=kept)
        near = replace(
            near,
            devices=NearDevices(local.devices, devices),
            automations=NearAutomations(local.automations, automations),
            conversations=said,
            memory=kept,
        )
        replicas += [
            devices_replica(mongo, things, local.users.homes, gone),
            automations_replica(mongo, rules, local.users.homes),
        ]
    if (scylla := engines.get("Scylla")) is not None:
        alerts = ForwardedAlerts(local.alerts, scylla, await forwarder("Scylla"))
        events, anomalies = GuardedEvents(scylla, clock), GuardedAnomalies(scylla, clock)
        stores = replace(stores, events=events, anomalies=anomalies, alerts=alerts)
        near = replace(near, events=events, anomalies=anomalies, alerts=alerts)
    if (timescale := engines.get("TimescaleDB")) is not None:
        readings = GuardedReadings(timescale, clock)
        stores, near = replace(stores, readings=readings), replace(near, readings=readings)
    if (redis := engines.get("Redis")) is not None:
        feed = await stack.enter_async_context(bridge(local.feed, redis, clock))
        far = GuardedLive(redis, clock)
        live: Any = far
        if keeps_live:
            live = await stack.enter_async_context(
                mirror(local.live, redis, clock, local.users.homes, is_shared=is_shared)
            )
            if is_shared:
                live = MergedLive(live, far)
        shared = {
            "live": live, "feed": feed, "limits": GuardedLimits(redis, local.limits),
            "contexts": GuardedContexts(redis),
        }  # fmt: skip
        stores, near = replace(stores, **shared), replace(near, **shared)
    personal = GuardedPersonalData(
        {name: engines[name] for name in _KEEPS_PERSONS if name in engines}, forwarders, copied, spool, clock,
        local=local.personal, devices=local.devices, live=stores.live,
    )  # fmt: skip
    stores, near = replace(stores, personal=personal), replace(near, personal=personal)
    kafka = engines.get("Kafka")
    copies = await stack.enter_async_context(replicate(replicas, clock)) if replicas else None

    if redis is not None and keeps_live:
        # after the copies, which say which homes there are
        await learn_states(local.live, redis, local.users.homes)

    def in_step_at(concern: str) -> datetime | None:
        known = copies.synced_at() if copies is not None else {}
        return known[concern] if concern in known else clock.now()

    return Assembled(
        stores=stores,
        near=near,
        stream=GuardedLog(kafka) if kafka is not None else None,
        waiting=lambda: {name: f.waiting() for name, f in forwarders.items()},
        in_step_at=in_step_at,
    )
