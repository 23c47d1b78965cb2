"""`homeguard undo` and `homeguard explain`: what was last done goes back, and what did it is told."""

import json

import pytest
from instances import JOHN, Up, one_line_says

pytestmark = pytest.mark.timeout(180)


def test_the_terminal_puts_back_what_was_done_and_tells_why_it_is_so(up: Up) -> None:
    with up.client() as client:
        before = client.get("/api/v1/devices/thermostat")["state"]["target_c"]
        wanted = 23.5 if before != 23.5 else 22.5
        client.post("/api/v1/devices/thermostat/command", {"command": "set_temperature",
                                                           "parameters": {"value": wanted, "unit": "C"}})  # fmt: skip
        assert client.get("/api/v1/devices/thermostat")["state"]["target_c"] == wanted

        done = up.homeguard("undo", "--json", "--as", JOHN)
        told = json.loads(done.stdout)
        assert (done.returncode, [r["outcome"] for r in told["results"]]) == (0, ["confirmed"])
        assert client.get("/api/v1/devices/thermostat")["state"]["target_c"] == pytest.approx(before, abs=0.3)

    shown = up.homeguard("explain", "Thermostat", "--as", JOHN)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("Thermostat said at")
    assert "an undo" in shown.stdout


def test_a_device_that_is_not_there_is_said_in_one_line(up: Up) -> None:
    done = up.homeguard("explain", "No Such Thing")
    assert one_line_says(done, "no devices are called")
