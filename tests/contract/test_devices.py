"""Devices and automations of a home."""

import asyncio
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from homeguard.errors import InvalidInput
from homeguard.model import Automation, Device, Hardware
from homeguard.ports.automations import VERSIONS_KEPT

PORTS = ("devices", "automations")

AT = datetime(2026, 3, 1, tzinfo=UTC)
LOCK = Device(
    home_id="h1", id="lock", name="Back door", type="lock", capabilities=("lock", "battery"), area="Hall", floor="0",
    aliases=("rear door",), hardware=Hardware(id="0x1", vendor="Acme"), config={"ranges": {"x": [0, 1.5]}},
    binding={"driver": "simulated"}, is_simulated=True, created_at=AT,
)  # fmt: skip
LAMP = Device(home_id="h1", id="lamp", name="Desk lamp", type="light", capabilities=("on_off",))
RULE = Automation(
    id="r1", home_id="h1", name="Night", trigger={"event": "door_open"}, actions=({"do": "lock"},),
    conditions=({"after": "22:00"},), enabled=False, version="v1", created_by="anna", created_at=AT,
)  # fmt: skip
#: JSON that some document store or other cannot keep as it is.
ODD = {
    "field names": {"a.b": 1, "$set": {"$": 2}, "": 3, "nul\x00": 4, "_id": 5, "Ünïcode 🏠": 6},
    "arrays in arrays": {"ranges": [[0, 1], [[2.5], []]], "empty": [], "mixed": [1, "a", None, {"b": [[1]]}]},
    "numbers": {"int": 1, "float": 1.0, "true": True, "large": 2**63, "least": -(2**63), "small": 5e-324},
    "depth": {"in": json.loads('{"in":' * 30 + "1" + "}" * 30)},
    "texts": {"nul": "a\x00b", "astral": "🏠", "line": "a\nb", "quote": '"'},
}
#: Ids whose parts, put together carelessly, give the same key.
TWINS = [("a/b", "c"), ("a", "b/c"), ("a%2Fb", "c"), ("a", "b%2Fc"), ("a", "b"), ("a/", "b"), ("a", "/b")]


async def test_a_device_is_read_as_it_was_put(stores):
    await stores.devices.put([LOCK, LAMP])

    assert await stores.devices.get("h1", "lock") == LOCK
    assert await stores.devices.get("h1", "lamp") == LAMP
    assert await stores.devices.get("h1", "none") is None


async def test_devices_of_a_home_come_by_name_then_id(stores):
    twin = replace(LAMP, id="a-lamp")
    await stores.devices.put([LAMP, LOCK, twin])
    await stores.devices.put([replace(LOCK, name="Attic")])

    assert await stores.devices.of_home("h1") == [replace(LOCK, name="Attic"), twin, LAMP]
    assert await stores.devices.of_home("h2") == []


async def test_another_homes_device_of_the_same_id_is_another_device(stores):
    other = replace(LOCK, home_id="h2", name="Other")
    await stores.devices.put([LOCK, other])

    assert await stores.devices.delete("h2", "lock")
    assert not await stores.devices.delete("h2", "lock")

    assert await stores.devices.get("h1", "lock") == LOCK
    assert await stores.devices.get("h2", "lock") is None
    assert await stores.devices.by_device_id("lock") == [LOCK]


async def test_at_most_ten_homes_are_named_for_a_device_id(stores):
    await stores.devices.put([replace(LAMP, home_id=f"h{n:02}") for n in range(12)])

    assert [d.home_id for d in await stores.devices.by_device_id("lamp")] == [f"h{n:02}" for n in range(10)]
    assert await stores.devices.by_device_id("none") == []


async def test_changing_the_answer_does_not_change_the_store(stores):
    await stores.devices.put([LAMP])

    (await stores.devices.of_home("h1")).clear()

    assert await stores.devices.of_home("h1") == [LAMP]


async def test_automations_are_read_as_they_were_put_by_name_and_only_in_their_home(stores):
    early = replace(RULE, id="r2", name="Day", enabled=True)
    await stores.automations.put(RULE)
    await stores.automations.put(early)
    await stores.automations.put(replace(RULE, home_id="h2", name="Foreign"))

    assert await stores.automations.of_home("h1") == [early, RULE]
    assert await stores.automations.get("h1", "r1") == RULE
    assert await stores.automations.get("h3", "r1") is None
    assert await stores.automations.delete("h1", "r1")
    assert not await stores.automations.delete("h1", "r1")
    assert [a.name for a in await stores.automations.of_home("h2")] == ["Foreign"]


async def test_devices_and_automations_survive_a_reopen(opener):
    async with opener() as stores:
        await stores.devices.put([LOCK, LAMP])
        await stores.devices.delete("h1", "lamp")
        await stores.automations.put(RULE)
    async with opener() as stores:
        assert await stores.devices.of_home("h1") == [LOCK]
        assert await stores.automations.of_home("h1") == [RULE]


@pytest.mark.parametrize("shape", ODD)
async def test_json_of_any_shape_is_kept_with_a_device(opener, shape):
    device = replace(LOCK, config=ODD[shape], binding={"driver": "mqtt", "more": ODD[shape]})
    async with opener() as stores:
        await stores.devices.put([device])

        first = await stores.devices.get("h1", "lock")
        assert first == device
        # 1, 1.0 and True are equal in Python and not in JSON.
        assert json.dumps(first.config) == json.dumps(device.config)
    async with opener() as stores:
        assert await stores.devices.of_home("h1") == [device]


@pytest.mark.parametrize("shape", ODD)
async def test_json_of_any_shape_is_kept_with_an_automation(stores, shape):
    odd = ODD[shape]
    rule = replace(RULE, trigger={"odd": odd}, conditions=({"odd": odd}, odd), actions=(odd, {"set": odd}))
    await stores.automations.put(rule)

    assert await stores.automations.get("h1", "r1") == rule
    assert await stores.automations.of_home("h1") == [rule]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["config", "binding"])
async def test_a_device_with_a_number_that_is_not_finite_is_refused_with_its_batch(stores, field, number):
    with pytest.raises(InvalidInput) as refusal:
        await stores.devices.put([LAMP, replace(LOCK, **{field: {"ranges": {"x": [0, number]}}})])

    assert refusal.value.details == {"field": field}
    assert await stores.devices.of_home("h1") == []


@pytest.mark.parametrize("field", ["trigger", "conditions", "actions"])
async def test_an_automation_with_a_number_that_is_not_finite_is_refused(stores, field):
    value = {"above": [math.nan]}
    with pytest.raises(InvalidInput) as refusal:
        await stores.automations.put(replace(RULE, **{field: value if field == "trigger" else (value,)}))

    assert refusal.value.details == {"field": field}
    assert await stores.automations.of_home("h1") == []


async def test_ids_that_look_alike_when_joined_are_different_devices_and_automations(stores):
    devices = [replace(LAMP, home_id=home, id=id_, name=f"{home} {id_}") for home, id_ in TWINS]
    rules = [replace(RULE, home_id=home, id=id_, name=f"{home} {id_}") for home, id_ in TWINS]
    await stores.devices.put(devices)
    for rule in rules:
        await stores.automations.put(rule)

    assert [await stores.devices.get(home, id_) for home, id_ in TWINS] == devices
    assert [await stores.automations.get(home, id_) for home, id_ in TWINS] == rules
    assert await stores.devices.delete("a", "b/c")
    assert await stores.automations.delete("a", "b/c")
    assert await stores.devices.get("a/b", "c") == devices[0]
    assert await stores.automations.get("a/b", "c") == rules[0]


async def test_an_id_is_never_a_pattern(stores):
    await stores.devices.put([LOCK, replace(LAMP, home_id="h2")])

    for pattern in (".*", "%", "h_", "", "$ne", "H1", "h1 "):
        assert await stores.devices.of_home(pattern) == []
        assert await stores.devices.get(pattern, "lock") is None
        assert await stores.devices.by_device_id(pattern) == []
        assert not await stores.devices.delete("h1", pattern)
        assert await stores.automations.of_home(pattern) == []


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 1, 0, 30, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
async def test_times_are_kept_to_the_microsecond_and_come_back_in_utc(stores, at):
    await stores.devices.put([replace(LAMP, created_at=at)])
    await stores.automations.put(replace(RULE, created_at=at, updated_at=at))

    device = await stores.devices.get("h1", "lamp")
    rule = await stores.automations.get("h1", "r1")
    assert {device.created_at, rule.created_at, rule.updated_at} == {at}
    assert {t.utcoffset() for t in (device.created_at, rule.created_at, rule.updated_at)} == {timedelta()}


async def test_names_are_ordered_by_code_point(stores):
    names = ["", " ", "A", "Z", "a", "z", "Ä", "ä", "Ω", "\uff5e", "🏠"]
    await stores.devices.put([replace(LAMP, id=f"d{n}", name=name) for n, name in enumerate(reversed(names))])
    for n, name in enumerate(reversed(names)):
        await stores.automations.put(replace(RULE, id=f"r{n}", name=name))

    assert [d.name for d in await stores.devices.of_home("h1")] == names
    assert [a.name for a in await stores.automations.of_home("h1")] == names


async def test_automations_of_one_name_come_by_id(stores):
    for id_ in ("b", "c", "a"):
        await stores.automations.put(replace(RULE, id=id_))

    assert [a.id for a in await stores.automations.of_home("h1")] == ["a", "b", "c"]


async def test_putting_nothing_changes_nothing(stores):
    await stores.devices.put([LOCK])
    await stores.devices.put([])

    assert await stores.devices.of_home("h1") == [LOCK]


async def test_the_last_of_one_batch_counts_and_the_same_batch_again_changes_nothing(stores):
    batch = [LOCK, LAMP, replace(LOCK, name="Front door"), replace(LAMP, home_id="h2")]
    for _ in range(2):
        await stores.devices.put(batch)

        assert await stores.devices.of_home("h1") == [LAMP, replace(LOCK, name="Front door")]
        assert await stores.devices.of_home("h2") == [replace(LAMP, home_id="h2")]


async def test_a_device_that_is_put_again_keeps_nothing_of_before(stores):
    bare = Device(home_id="h1", id="lock", name="Bare", type="door", capabilities=())
    await stores.devices.put([LOCK])
    await stores.devices.put([bare])

    assert await stores.devices.get("h1", "lock") == bare


async def test_an_automation_that_is_put_again_keeps_nothing_of_before(stores):
    bare = Automation(id="r1", home_id="h1", name="Bare", trigger={}, actions=())
    await stores.automations.put(replace(RULE, approved=("f1",), updated_at=AT))
    await stores.automations.put(bare)

    assert await stores.automations.of_home("h1") == [bare]


async def test_a_device_that_was_deleted_can_come_back(stores):
    await stores.devices.put([LOCK])
    assert await stores.devices.delete("h1", "lock")
    assert await stores.devices.by_device_id("lock") == []
    await stores.devices.put([replace(LOCK, name="Again")])

    assert await stores.devices.of_home("h1") == [replace(LOCK, name="Again")]
    assert await stores.devices.by_device_id("lock") == [replace(LOCK, name="Again")]


async def test_more_devices_than_one_request_takes_are_put_at_once(stores):
    devices = [replace(LAMP, id=f"d{n:04}", name=f"Lamp {n:04}") for n in range(250)]
    await stores.devices.put(devices)

    assert await stores.devices.of_home("h1") == devices


async def test_changing_what_was_put_or_answered_does_not_change_the_store(stores):
    config = {"ranges": {"x": [0, 1]}}
    await stores.devices.put([replace(LAMP, config=config, binding=config)])
    config["ranges"]["x"].append(2)

    kept = replace(LAMP, config={"ranges": {"x": [0, 1]}}, binding={"ranges": {"x": [0, 1]}})
    assert await stores.devices.get("h1", "lamp") == kept


async def test_devices_that_are_put_at_once_are_all_there(stores):
    lamps = [replace(LAMP, id=f"d{n:02}", name=f"Lamp {n:02}") for n in range(30)]
    async with asyncio.TaskGroup() as tasks:
        for lamp in lamps:
            tasks.create_task(stores.devices.put([lamp]))

    assert await stores.devices.of_home("h1") == lamps


@pytest.mark.needs("atomic")
async def test_one_device_that_many_put_at_once_is_one_of_theirs_and_whole(stores):
    versions = [replace(LOCK, name=f"n{n}", area=f"n{n}", config={"n": n}) for n in range(20)]
    async with asyncio.TaskGroup() as tasks:
        for version in versions:
            tasks.create_task(stores.devices.put([version, replace(version, home_id="h2")]))

    (kept,) = await stores.devices.of_home("h1")
    assert kept in versions
    assert len(await stores.devices.of_home("h2")) == 1


async def test_one_of_many_who_delete_at_once_is_told_that_it_did(stores):
    await stores.devices.put([LOCK])
    await stores.automations.put(RULE)

    devices = await asyncio.gather(*(stores.devices.delete("h1", "lock") for _ in range(10)))
    rules = await asyncio.gather(*(stores.automations.delete("h1", "r1") for _ in range(10)))

    assert (devices.count(True), rules.count(True)) == (1, 1)


@pytest.mark.needs("atomic")
async def test_one_automation_that_many_put_at_once_is_one_of_theirs_and_whole(stores):
    versions = [replace(RULE, name=f"n{n}", version=f"n{n}", trigger={"n": n}) for n in range(20)]
    async with asyncio.TaskGroup() as tasks:
        for version in versions:
            tasks.create_task(stores.automations.put(version))

    (kept,) = await stores.automations.of_home("h1")
    assert kept in versions


async def test_what_a_rule_was_before_is_kept_newest_first_and_only_so_much_of_it(stores):
    assert await stores.automations.versions("h1", "r1") == []
    await stores.automations.put(RULE)
    await stores.automations.put(replace(RULE, updated_at=AT))
    assert await stores.automations.versions("h1", "r1") == []

    second = replace(RULE, name="Late", version="v2", approved=("f",))
    await stores.automations.put(second)
    assert await stores.automations.versions("h1", "r1") == [replace(RULE, updated_at=AT)]
    await stores.automations.delete("h1", "r1")
    assert await stores.automations.versions("h1", "r1") == [second, replace(RULE, updated_at=AT)]

    names = [f"n{n:02}" for n in range(VERSIONS_KEPT + 3)]
    for name in names:
        await stores.automations.put(replace(RULE, name=name))
    kept = await stores.automations.versions("h1", "r1")
    assert [a.name for a in kept] == list(reversed(names[:-1]))[:VERSIONS_KEPT]
    assert await stores.automations.versions("h2", "r1") == []
