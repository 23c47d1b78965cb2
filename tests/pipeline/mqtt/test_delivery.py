"""The name of a delivery: the same for a redelivery, another one for every message that is new."""

from pathlib import Path

import pytest

from homeguard.errors import StartRefused
from pipeline.mqtt.address import parse_address
from pipeline.mqtt.delivery import DeliveryNames


def test_a_redelivery_has_the_name_of_the_first_delivery_even_after_a_restart(tmp_path: Path) -> None:
    before = DeliveryNames(tmp_path / "session.json")
    before.begin(session_present=False)
    first = before.name("t", b"on", 1, 7)
    before.keep()
    after = DeliveryNames(tmp_path / "session.json")
    after.begin(session_present=True)
    assert after.name("t", b"on", 1, 7) == first


def test_the_same_words_said_again_are_another_message() -> None:
    names = DeliveryNames()
    names.begin(session_present=False)
    first = names.name("t", b"on", 1, 7)
    assert names.name("t", b"on", 1, 8) != first
    names.begin(session_present=False)
    assert names.name("t", b"on", 1, 7) != first
    assert names.name("t", b"on", 0, 0) != names.name("t", b"on", 0, 0)


def test_packet_ids_that_wrap_start_a_new_round_and_late_redeliveries_belong_to_the_old_one() -> None:
    names = DeliveryNames()
    names.begin(session_present=False)
    first = names.name("t", b"on", 1, 1)
    for mid in (30_000, 60_000):
        names.name("t", b"x", 1, mid)
    last = names.name("t", b"on", 1, 65_535)
    assert names.name("t", b"on", 1, 1) != first
    assert names.name("t", b"on", 1, 65_535) == last


@pytest.mark.parametrize(("before", "after"), [(65_530, 3), (40_000, 41_000), (3, 9), (65_530, 65_535)])
def test_a_process_that_died_near_a_wrap_leaves_the_names_of_its_last_messages(
    tmp_path: Path, before: int, after: int
) -> None:
    """Both were taken and not acknowledged; what comes behind them is new."""
    file = tmp_path / "session.json"
    died = DeliveryNames(file)
    died.begin(session_present=False)
    taken = []
    for mid in (20_000, 40_000, 60_000, 5, 30_000, before, after):
        taken.append(died.name("t", b"on", 1, mid))
        if died.is_new:
            died.keep()
    next_one = DeliveryNames(file)
    next_one.begin(session_present=True)
    assert [next_one.name("t", b"on", 1, mid) for mid in (before, after)] == taken[-2:]
    assert next_one.name("t", b"on", 1, (after + 1) % 65_536 or 1) not in taken


def test_an_unreadable_session_file_only_costs_the_memory_of_the_session(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    path.write_text("{not json")
    names = DeliveryNames(path)
    names.begin(session_present=True)
    assert names.name("t", b"a", 1, 1)


def test_an_address_says_where_and_how() -> None:
    address = parse_address("mqtts://ann:s%40fe@broker.local/?base=zigbee2mqtt,upstairs&version=3.1.1")
    assert (address.host, address.port, address.is_tls, address.user, address.password) == (
        "broker.local",
        8883,
        True,
        "ann",
        "s@fe",
    )
    assert address.bases == ("zigbee2mqtt", "upstairs")
    assert address.version == 4
    assert "s@fe" not in repr(address) + address.text


@pytest.mark.parametrize("url", ["http://x", "mqtt://", "mqtt://h:port", "mqtt://h?base=a/%23", "mqtt://h?version=9"])
def test_an_address_that_cannot_be_used_says_why(url: str) -> None:
    with pytest.raises(StartRefused, match="MQTT_URL"):
        parse_address(url)
