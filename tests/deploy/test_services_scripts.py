"""`make services`: what it starts it ends, and nothing else; it inherits nothing and says what failed."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.services import process
from deploy.services.engine import Engine, Lacking
from deploy.services.process import Launch
from deploy.services.room import PORTS, Room, free_ports, lets_through
from deploy.services.site import ENGINES, Site
from deploy.services.wire import ask

SCRIPT = Path(__file__).parents[2] / "deploy" / "services" / "services.sh"
#: The smallest server: it says hello.
HELLO = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    client.sendall(b"hello")
    client.close()
"""


def python(text: str, *words: str, folder: Path = Path("/")) -> Launch:
    return Launch(argv=[sys.executable, "-c", text, *words], folder=folder)


def hello(name: str = "hello", text: str = HELLO, **more: object) -> Engine:
    return Engine(
        name=name,
        launch=lambda room: python(text, str(room.port), folder=room.data),
        is_healthy=lambda room: ask(room.port, b"", enough=5) == b"hello",
        addresses=lambda room: {f"{name.upper()}_URL": f"tcp://:{room.password()}@127.0.0.1:{room.port}"},
        **more,  # type: ignore[arg-type]
    )


def wait_until(true: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not true():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.01)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    made = Room(folder=tmp_path / "room", cache=tmp_path / "cache")
    made.furnish(1, ())
    return made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    made: list[tuple[Site, list[str]]] = []

    def make(*engines: Engine) -> Site:
        table = {engine.name: engine for engine in engines}
        made.append((Site(tmp_path / "site", tmp_path / "cache", table), list(table)))
        return made[-1][0]

    yield make
    for one, names in made:
        one.kill(names)


@contextmanager
def begun(launch: Launch, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    pid_file = folder / "pid"
    started = process.start(launch, folder / "log", pid_file)
    try:
        yield started, pid_file
    finally:
        started.kill()
        started.wait(10)


def services(verb: str, *names: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOMEGUARD_SERVICES_DIR": str(folder), "PYTHON": sys.executable}
    return subprocess.run(
        ["bash", str(SCRIPT), verb, *names], env=environment, capture_output=True, text=True, timeout=50, check=False
    )


def test_ports_are_free_different_and_below_those_of_outgoing_connections() -> None:
    first = free_ports(50, ())
    assert len(set(first)) == 50
    assert all(port in PORTS for port in first)
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(PORTS) < ephemeral


def test_a_port_that_somebody_has_or_will_have_is_not_chosen() -> None:
    allowed = free_ports(2, ())
    others = set(PORTS) - set(allowed)
    with socket.socket() as held:
        held.bind(("127.0.0.1", allowed[0]))
        held.listen()
        assert free_ports(1, others) == [allowed[1]]
        with pytest.raises(OSError, match="no 2 free ports"):
            free_ports(2, others)


def test_ports_and_password_stay_until_the_room_is_wiped(room: Room) -> None:
    before = (room.ports, room.password())
    room.furnish(1, ())
    assert (room.ports, room.password()) == before
    room.wipe()
    assert not room.folder.exists()
    room.furnish(1, {before[0][0]})
    assert room.ports != before[0]
    assert room.password() != before[1]


def test_only_the_owner_can_read_a_password_and_what_a_server_is_given(room: Room) -> None:
    room.password()
    given = room.write("configuration", "requirepass x")
    for path in (room.folder / "password", given):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(room.data.stat().st_mode) == 0o700


def test_a_folder_that_another_user_cannot_get_to_is_known(tmp_path: Path) -> None:
    assert lets_through(Path("/"), "nobody")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not lets_through(closed, "nobody")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")
def test_a_server_of_another_user_has_its_data_where_that_user_gets_to_and_nobody_else(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    room = Room(folder=tmp_path / "room", cache=tmp_path, owner="nobody")
    room.furnish(1, ())
    written = room.write("configuration", "x")
    assert not written.is_relative_to(tmp_path)
    assert lets_through(written.parent, "nobody")
    assert (written.owner(), stat.S_IMODE(written.parent.stat().st_mode)) == ("nobody", 0o700)
    room.wipe()
    assert not written.parent.exists()


def test_a_server_inherits_no_descriptor_no_terminal_and_no_secret(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "do not tell")
    text = """
import os, sys, time
print(sorted(os.listdir("/proc/self/fd")), os.getsid(0) == os.getpid(), repr(sys.stdin.read()), flush=True)
time.sleep(60)
"""
    with (room.folder / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        with begun(python(text), room.folder) as (started, _):
            wait_until(lambda: room.log.read_text().endswith("\n"))
            assert room.log.read_text() == "['0', '1', '2', '3'] True ''\n"  # 3 is the list itself
            assert b"do not tell" not in Path(f"/proc/{started.pid}/environ").read_bytes()


def test_the_log_of_the_run_before_is_kept_once(room: Room) -> None:
    for word in ("one", "two", "three"):
        with begun(python(f"print({word!r})"), room.folder) as (started, _):
            started.wait(10)
    assert [path.read_text() for path in (room.log, room.folder / "log.before")] == ["three\n", "two\n"]


def test_a_pid_that_somebody_else_has_got_since_is_left_alone(room: Room) -> None:
    with begun(python("import time; time.sleep(60)"), room.folder) as (stranger, pid_file):
        pid_file.write_text(f"{stranger.pid} {int(process.born(stranger.pid)) - 1}\n")
        assert process.pid_of(pid_file) == 0
        assert process.end(pid_file, signal.SIGKILL, timeout_s=5) is False
        assert stranger.poll() is None


def test_what_ignores_the_polite_signal_is_killed(room: Room) -> None:
    deaf = (
        "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    with begun(python(deaf), room.folder) as (started, pid_file):
        wait_until(lambda: "deaf" in room.log.read_text())
        assert process.end(pid_file, signal.SIGTERM, timeout_s=0.2)
        assert process.is_dead(started.pid)
        assert not pid_file.exists()


def test_ending_waits_for_the_children_that_take_longer(room: Room) -> None:
    child = "import time; time.sleep(0.6)"
    parent = f"import subprocess,sys,time; subprocess.Popen([sys.executable,'-c',{child!r}]); time.sleep(60)"
    with begun(python(parent), room.folder) as (started, pid_file):
        wait_until(lambda: process.children(started.pid))
        (of_it,) = process.children(started.pid)
        process.end(pid_file, signal.SIGKILL, timeout_s=10)
        assert process.is_dead(of_it)


def test_a_name_with_blanks_and_brackets_does_not_hide_when_a_process_was_born(room: Room) -> None:
    odd = room.folder / "a ) b (c"
    shutil.copy(shutil.which("sleep") or "", odd)
    with begun(Launch(argv=[str(odd), "60"], folder=room.folder), room.folder) as (started, pid_file):
        wait_until(lambda: "a ) b" in Path(f"/proc/{started.pid}/comm").read_text())
        assert process.pid_of(pid_file) == started.pid


def test_a_server_that_runs_is_kept_and_one_that_was_killed_comes_back_on_its_port(site: Callable[..., Site]) -> None:
    one = site(hello())
    (first,) = one.start(["hello"])
    (again,) = one.start(["hello"])
    assert (first.state, again.state, again.pid) == ("ready", "kept", first.pid)
    one.kill(["hello"])
    assert [seen.state for seen in one.look(["hello"])] == ["down"]
    (back,) = one.start(["hello"])
    assert (back.state, back.port) == ("ready", first.port)
    assert back.pid != first.pid


def test_two_who_start_at_the_same_time_start_one_server(site: Callable[..., Site]) -> None:
    one = site(hello())
    with ThreadPoolExecutor(4) as threads:
        outcomes = [outcome for (outcome,) in threads.map(lambda _: one.start(["hello"]), range(4))]
    assert sorted(outcome.state for outcome in outcomes) == ["kept", "kept", "kept", "ready"]
    assert len({outcome.pid for outcome in outcomes}) == 1


def test_the_file_of_services_is_private_names_what_was_started_and_goes_with_the_last(
    site: Callable[..., Site],
) -> None:
    one = site(hello("a"), hello("b"), hello("c"))
    one.start(["a", "b"])
    assert [line.partition("=")[0] for line in one.env.read_text().splitlines()] == ["A_URL", "B_URL"]
    assert f"A_URL=tcp://:{one.room('a').password()}@127.0.0.1:{one.room('a').port}\n" in one.env.read_text()
    assert stat.S_IMODE(one.env.stat().st_mode) == 0o600
    one.kill(["a"])  # a test does so for a while: the others are still to be told of it
    assert "A_URL" in one.env.read_text()
    one.stop(["a", "b", "c"])
    assert not one.env.exists()


def test_one_that_ends_while_starting_says_its_last_words_and_the_others_start(site: Callable[..., Site]) -> None:
    one = site(hello("good"), hello("bad", "raise SystemExit('no such option')"))
    good, bad = one.start(["good", "bad"])
    assert (good.state, bad.state) == ("ready", "failed")
    assert "no such option" in bad.note
    assert not one.room("bad").pid_file.exists()
    assert "BAD_URL" not in one.env.read_text()


def test_one_that_never_answers_is_ended(site: Callable[..., Site]) -> None:
    one = site(hello(text="import time; print('busy', flush=True); time.sleep(60)", start_timeout_s=0.5))
    (outcome,) = one.start(["hello"])
    assert outcome.state == "failed"
    assert outcome.note.startswith("no answer within")
    assert [seen.state for seen in one.look(["hello"])] == ["down"]


def test_one_that_hangs_is_ill_and_its_restart_is_refused_until_it_is_ended(site: Callable[..., Site]) -> None:
    one = site(hello())
    (started,) = one.start(["hello"])
    os.kill(started.pid, signal.SIGSTOP)
    assert [seen.state for seen in one.look(["hello"])] == ["ill"]
    (refused,) = one.start(["hello"])
    assert refused.state == "failed"
    assert f"pid {started.pid} runs and does not answer" in refused.note
    one.kill(["hello"])
    assert [seen.state for seen in one.start(["hello"])] == ["ready"]


def test_a_port_that_somebody_took_meanwhile_is_named(site: Callable[..., Site]) -> None:
    one = site(hello())
    (started,) = one.start(["hello"])
    one.stop(["hello"])
    with socket.create_server(("127.0.0.1", started.port)):
        (outcome,) = one.start(["hello"])
    assert outcome.state == "failed"
    assert f"port {started.port} is taken" in outcome.note


def test_what_the_machine_lacks_is_left_out_and_said(site: Callable[..., Site], tmp_path: Path) -> None:
    def build(cache: Path) -> None:
        raise Lacking("no Go")

    one = site(hello("a", build=build), hello("b", find=lambda: ""), hello("c"))
    outcomes = one.start(["a", "b", "c"])
    assert [outcome.state for outcome in outcomes] == ["left out", "left out", "ready"]
    assert outcomes[0].note == "no Go"
    assert [line.partition("=")[0] for line in one.env.read_text().splitlines()] == ["C_URL"]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 400 Bad Request\r\n\r\n", b"\x00" * 64])
@pytest.mark.parametrize("name", sorted(ENGINES.keys() - {"postgres"}))
def test_another_program_on_its_port_is_not_taken_for_the_server(name: str, answer: bytes, room: Room) -> None:
    with socket.create_server(("127.0.0.1", room.port)) as stranger:

        def talk() -> None:
            client, _ = stranger.accept()
            with client:
                client.recv(1024)
                client.sendall(answer)

        thread = threading.Thread(target=talk)
        thread.start()
        assert not ENGINES[name].is_healthy(room)
        thread.join(10)
    assert not ENGINES[name].is_healthy(room)


def test_every_engine_has_a_name_of_its_own_in_the_file_of_services(tmp_path: Path) -> None:
    rooms = {name: Room(folder=tmp_path / name, cache=tmp_path) for name in ENGINES if name != "postgres"}
    for name, room in rooms.items():
        room.furnish(ENGINES[name].ports, ())
    told = [key for name, room in rooms.items() for key in ENGINES[name].addresses(room)]
    assert sorted(told) == ["KAFKA_BROKERS", "MONGO_DURABLE_URL", "MONGO_URL", "MQTT_URL", "REDIS_URL", "SCYLLA_HOSTS"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["check"], 1, "no servers: start them with `make services`"),
        (["start", "mysql"], 2, "no server is called 'mysql'"),
        (["burn"], 2, "invalid choice"),
        (["kill", "kafka"], 0, ""),
        (["stop"], 0, ""),
        (["status"], 0, ""),
    ],
)
def test_the_command_line_says_in_one_line_what_is_wrong(
    words: Sequence[str], code: int, said: str, tmp_path: Path
) -> None:
    done = services(*words, folder=tmp_path / "site")
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.broker
def test_a_real_server_is_started_killed_started_again_and_ended_by_the_script(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    try:
        started = services("start", "mosquitto", folder=folder)
        assert started.returncode == 0, started.stderr
        site = Site(folder, folder / "cache")
        (running,) = site.look(["mosquitto"])
        command = Path(f"/proc/{running.pid}/cmdline").read_bytes().decode()
        assert site.room("mosquitto").password() not in command + started.stdout
        assert services("check", folder=folder).returncode == 0
        assert services("kill", "mosquitto", folder=folder).returncode == 0
        gone = services("check", folder=folder)
        assert (gone.returncode, gone.stderr) == (1, "mosquitto is down: start it with `make services`\n")
        assert services("start", "mosquitto", folder=folder).returncode == 0
        (back,) = site.look(["mosquitto"])
        assert (back.state, back.port, back.pid != running.pid) == ("ready", running.port, True)
        assert services("stop", folder=folder).returncode == 0
        assert process.is_dead(back.pid)
    finally:
        services("wipe", folder=folder)
    assert sorted(path.name for path in folder.iterdir()) == ["cache", "lock"]


def test_the_jars_and_the_go_program_are_pinned() -> None:
    for name in ("cassandra", "kafka", "mongo-java"):
        versions = re.findall(r"<version>(.*)</version>", (SCRIPT.parent / name / "pom.xml").read_text())
        assert len(versions) > 1
        assert all(re.fullmatch(r"[0-9.]+", version) for version in versions), versions
    assert "github.com/FerretDB/FerretDB v1.24.2 h1:" in (SCRIPT.parent / "ferretdb" / "go.sum").read_text()
