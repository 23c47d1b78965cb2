"""`homeguard dead-letters` and `homeguard topics`: what could not be done, who reads what, and reading it again."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from instances import Up, command, one_line_says, until

from homeguard.clock import SystemClock
from homeguard.ports.log import EVENTS, NewRecord
from homeguard.stores.sqlite.open import open_embedded

pytestmark = pytest.mark.timeout(180)


def told(up: Up, *arguments: str) -> Any:
    """What the command says, as JSON."""
    done = up.homeguard(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def processed(up: Up, group: str) -> int:
    with up.http() as http:
        return int(http.get("/ready").json()["checks"][group]["processed"])


def test_letters_are_listed_and_sent_again_once(start: Callable[..., Up], tmp_path: Path) -> None:
    async def poison() -> None:
        async with open_embedded(tmp_path / "data", SystemClock()) as stores:
            await stores.log.append(
                [NewRecord(topic=EVENTS, key="h1/door", value=b"not json", headers={"schema": "1"})]
            )

    asyncio.run(poison())
    up = start("--no-simulator")
    letters = until(lambda: _both(told(up, "dead-letters", "list")["items"]))
    assert sorted(letter["group"] for letter in letters) == ["record", "reflex"]
    assert {(letter["topic"], letter["key"], letter["size"]) for letter in letters} == {(EVENTS, "h1/door", 8)}
    assert all(letter["is_waiting"] and "envelope" in letter["reason"] for letter in letters)
    shown = up.homeguard("dead-letters", "list", "--limit", "1").stdout
    assert len(shown.splitlines()) == 1
    assert "h1/door" in shown
    assert "waits" in shown

    assert told(up, "dead-letters", "retry", "--all") == {"letters": 2, "sent": 1, "unreadable": 0}
    again = until(lambda: _four(told(up, "dead-letters", "list")["items"]))
    assert [(letter["retries"], letter["is_waiting"]) for letter in again] == [
        (0, False), (0, False), (1, True), (1, True),
    ]  # fmt: skip
    assert told(up, "dead-letters", "retry", "1")["letters"] == 1


def _both(letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return letters if len(letters) == 2 else []


def _four(letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return letters if len(letters) == 4 else []


def test_without_letters_it_says_so(up: Up) -> None:
    assert up.homeguard("dead-letters", "list").stdout == "no dead letters\n"
    assert up.homeguard("dead-letters", "retry", "--all").stdout == "no dead letter waits\n"


def test_topics_tell_who_reads_them_and_how_far(up: Up) -> None:
    found = until(lambda: _nothing_to_do(told(up, "topics", "list")))
    assert found["topics"]["device.events"] == ["safety", "reflex", "record"]
    assert found["topics"]["notifications"] == []
    assert set(found["groups"]) == {"safety", "reflex", "record", "automate"}
    assert all(group["runs_here"] for group in found["groups"].values())
    shown = up.homeguard("topics", "list").stdout
    assert "device.commands" in shown
    assert "automate" in shown


def _nothing_to_do(found: dict[str, Any]) -> dict[str, Any] | None:
    return found if all(group["lag"] == 0 for group in found["groups"].values()) else None


def test_reading_everything_again_stores_and_sets_off_nothing(start: Callable[..., Up]) -> None:
    # nothing comes by itself, so that what is processed can be counted
    up = start("--no-simulator", env={"HOMEGUARD_CANARY_S": "0", "HOMEGUARD_DEMO_HISTORY_DAYS": "0"})
    with up.login() as http:
        sent = [
            {"device_id": "thermostat", "event_type": "smoke_detected", "payload": {}},
            {"device_id": "thermostat", "event_type": "telemetry", "payload": {"temperature_c": 21.5}},
            {"device_id": "living_room_motion", "event_type": "battery_low", "payload": {"battery": 4}},
        ]
        assert http.post("/api/v1/events", json=sent).status_code == 202
        assert http.post("/api/v1/devices/front_door_lock/command", json={"command": "lock"}).status_code < 300
        until(lambda: _nothing_to_do(told(up, "topics", "list")))
        before, alerts = up.events(http), http.get("/api/v1/alerts").json()
        reflex, record = processed(up, "reflex"), processed(up, "record")
        assert alerts["items"]
        assert {"smoke_detected", "command_result", "alert_raised"} <= {event["event_type"] for event in before}

        done = told(up, "topics", "replay", "--from", "start")

        assert (done["group"], done["from"]) == ("record", None)
        until(lambda: processed(up, "record") == 2 * record)
        until(lambda: _nothing_to_do(told(up, "topics", "list")))
        assert up.events(http) == before
        assert http.get("/api/v1/alerts").json() == alerts
        assert processed(up, "reflex") == reflex


def test_reading_again_from_a_time_on_leaves_out_what_is_older(up: Up) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    done = told(up, "topics", "replay", "--from", later.isoformat())
    assert datetime.fromisoformat(done["from"]) - later < timedelta(milliseconds=1)
    assert done["records"] == 0


@pytest.mark.parametrize("group", ["safety", "reflex", "automate"])
def test_groups_that_act_on_what_they_read_do_not_read_twice(up: Up, group: str) -> None:
    assert one_line_says(up.homeguard("topics", "replay", "--from", "start", "--group", group), group, "record")


def test_what_cannot_be_meant_is_one_line(up: Up) -> None:
    assert one_line_says(up.homeguard("topics", "replay", "--from", "yesterday"), "from")
    assert one_line_says(up.homeguard("topics", "replay", "--from", "start", "--group", "ship"), "ship")
    assert one_line_says(up.homeguard("dead-letters", "list", "--limit", "0"), "limit")
    assert one_line_says(up.homeguard("dead-letters", "retry"), "--all")
    assert one_line_says(up.homeguard("dead-letters", "retry", "3", "--all"), "--all")
    assert one_line_says(up.homeguard("dead-letters", "retry", "0"))
    assert up.homeguard("dead-letters", "retry", "some").returncode == 2
    assert up.homeguard("topics", "replay").returncode == 2


@pytest.mark.parametrize(
    "arguments", [("dead-letters", "list"), ("dead-letters", "retry", "--all"), ("topics", "list"),
                  ("topics", "replay", "--from", "start")],
)  # fmt: skip
def test_with_no_instance_it_says_so_and_starts_none(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    data = tmp_path / "d"
    assert one_line_says(command(tmp_path, *arguments, "--data-dir", data), "no HomeGuard runs", "homeguard up")
    assert not data.exists()


def test_only_the_operator_may(up: Up) -> None:
    with up.login() as http:
        for method, path in (
            ("GET", "/operator/dead-letters"), ("POST", "/operator/dead-letters/retry"), ("GET", "/operator/topics"),
            ("POST", "/operator/topics/replay"),
        ):  # fmt: skip
            assert http.request(method, path).status_code in (401, 403), path
