"""The compose files: right by the schema, closed to other machines, no password of their own, settings that we read."""

import os
import re
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_schema import compose_schema
from jsonschema import Draft202012Validator

from deploy.cli.main import main
from deploy.roles import ROLES, role_of
from homeguard.settings import Settings, load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "compose"
FILES = ("engines.yml", "docker-compose.yml", "docker-compose.prod.yml")
WHOLE = FILES[1:]
ENGINES = {"postgres", "timescale", "scylla", "mongo", "redis", "kafka", "mosquitto"}
SECRETS = {
    "POSTGRES_PASSWORD", "TIMESCALE_PASSWORD", "MONGO_PASSWORD", "REDIS_PASSWORD", "MQTT_PASSWORD", "JWT_SECRET",
}  # fmt: skip


def document(name: str) -> dict[str, Any]:
    read = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    assert isinstance(read, dict)
    return read


def merged(name: str) -> dict[str, dict[str, Any]]:
    """The services of a file with what they take from another one."""
    services = document(name)["services"]
    for key, service in services.items():
        if "extends" in service:
            extended = service.pop("extends")
            services[key] = document(extended["file"])["services"][extended["service"]] | service
    return dict(services)


def filled_in(text: str, variables: dict[str, str]) -> str:
    """As Compose does it: `${NAME:-otherwise}` and `${NAME:?why not}`."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match["name"], match["kind"], match["rest"]
        found = variables.get(name, "")
        assert found or kind == "-", f"{name} is not in .env: {rest}"
        return found or rest

    return re.sub(r"\$\{(?P<name>\w+):(?P<kind>[-?])(?P<rest>[^}]*)\}", value, text)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A copy of the folder, to make `.env` in."""
    for path in FOLDER.iterdir():
        if path.is_file() and path.name != ".env":
            shutil.copy(path, tmp_path / path.name)
    return tmp_path


def run(script: Path, *words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]}
    return subprocess.run(
        ["sh", str(script), *words], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def variables(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.fixture
def schema_of_compose() -> Draft202012Validator:
    schema = compose_schema()
    assert schema is not None
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_right_by_the_schema_of_compose(name: str, schema_of_compose: Draft202012Validator) -> None:
    read = document(name)
    assert [error.message for error in schema_of_compose.iter_errors(read)] == []
    read["services"]["redis"]["prots"] = read["services"]["redis"].pop("ports", [])
    assert not schema_of_compose.is_valid(read)


@pytest.mark.parametrize("name", WHOLE)
def test_every_engine_is_there_pinned_and_watched_and_keeps_its_data(name: str) -> None:
    services, volumes = merged(name), document(name)["volumes"]
    assert services.keys() >= ENGINES
    for key, service in services.items():
        assert re.fullmatch(r"[\w./-]+:[\w.-]+", service["image"]), key
        assert not service["image"].endswith(":latest")
        if key in ENGINES:
            assert service["healthcheck"]["test"], key
            assert any(mount.partition(":")[0] in volumes for mount in service["volumes"]), key


def test_the_ports_of_the_development_set_are_the_usual_ones_and_of_this_machine_only() -> None:
    published = {key: service.get("ports", []) for key, service in merged("docker-compose.yml").items()}
    assert {key: ports for key, ports in published.items() if ports} == {
        "homeguard": ["127.0.0.1:8000:8000"],
        "jaeger": ["127.0.0.1:16686:16686"],
        "kafka": ["127.0.0.1:19092:19092"],
        "mosquitto": ["127.0.0.1:1883:1883"],
        "redis": ["127.0.0.1:6379:6379"],
        "timescale": ["127.0.0.1:5432:5432"],
    }


def test_in_production_only_the_rooms_are_published_and_the_engines_network_leads_nowhere() -> None:
    services = merged("docker-compose.prod.yml")
    assert {key for key, service in services.items() if "ports" in service} == {"api", "agent", "ingest"}
    assert all(port.startswith("127.0.0.1:") for s in services.values() for port in s.get("ports", []))
    assert document("docker-compose.prod.yml")["networks"]["engines"] == {"internal": True}
    assert all(services[engine]["networks"] == ["engines"] for engine in ENGINES)


def test_production_runs_every_role_by_words_that_the_command_line_knows(capsys: pytest.CaptureFixture[str]) -> None:
    rooms = {key: s["command"] for key, s in merged("docker-compose.prod.yml").items() if key not in ENGINES}
    assert rooms.keys() == ROLES.keys() - {"all"}
    for key, command in rooms.items():
        assert command == ["up", "--role", key]
        with pytest.raises(SystemExit) as ended:
            main([*command, "--help"])
        assert ended.value.code == 0
        with pytest.raises(SystemExit) as ended:
            main([*command, "--no-such-option"])
        assert ended.value.code == 2
    capsys.readouterr()


@pytest.mark.parametrize("name", WHOLE)
def test_every_room_waits_for_every_engine_and_has_no_more_rights_than_it_needs(name: str) -> None:
    for key, service in merged(name).items():
        if key in ENGINES | {"jaeger"}:
            continue
        assert service["depends_on"] == {engine: {"condition": "service_healthy"} for engine in ENGINES}
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert any(mount.endswith("/data") for mount in service["volumes"])


@pytest.mark.parametrize("name", FILES)
def test_no_file_holds_a_password(name: str) -> None:
    text = (FOLDER / name).read_text("utf-8")
    told = re.findall(r"(?:PASSWORD|SECRET|AUTH): (.+)", text)
    told += re.findall(r"://\w*:([^@\s]*)@", text)
    assert told
    assert all(re.fullmatch(r"\$\{(\w+):\?run make-env\.sh first\}", value) for value in told), told
    assert set(re.findall(r"\$\{(\w+):\?", text)) <= SECRETS


def test_passwords_are_made_once_at_random_and_are_the_owners(made: Path) -> None:
    assert run(made / "make-env.sh").returncode == 0
    first = variables(made)
    assert first.keys() == SECRETS | {"HOMEGUARD_DEMO"}
    assert len({first[name] for name in SECRETS}) == len(SECRETS)
    assert all(re.fullmatch(r"[0-9a-f]{48}", first[name]) for name in SECRETS)
    assert first["HOMEGUARD_DEMO"] == "false"
    assert stat.S_IMODE((made / ".env").stat().st_mode) == 0o600
    assert run(made / "make-env.sh", "--demo").returncode == 0
    assert variables(made) == first
    (made / ".env").unlink()
    run(made / "make-env.sh")
    assert all(variables(made)[name] != first[name] for name in SECRETS)


def test_a_wrong_word_makes_no_passwords(made: Path) -> None:
    refused = run(made / "make-env.sh", "--dmeo")
    assert (refused.returncode, refused.stderr) == (2, "usage: make-env.sh [--demo]\n")
    assert not (made / ".env").exists()


def settings_of(name: str, service: str, folder: Path, tmp_path: Path) -> Settings:
    """What HomeGuard reads when Compose starts it so."""
    given = merged(name)[service]["environment"]
    environ = {key: filled_in(value, variables(folder)) for key, value in given.items()}
    from_image = re.findall(r"(HOMEGUARD_\w+)=(\S+)", (FOLDER / "Dockerfile").read_text("utf-8"))
    return load({}, dict(from_image) | environ, tmp_path / "none")


@pytest.mark.parametrize("with_demo", [False, True])
def test_homeguard_is_given_every_engine_where_it_really_is(made: Path, tmp_path: Path, *, with_demo: bool) -> None:
    run(made / "make-env.sh", *(["--demo"] if with_demo else []))
    read, secret = settings_of("docker-compose.yml", "homeguard", made, tmp_path), variables(made)
    assert read.postgres_url == f"postgresql://homeguard:{secret['POSTGRES_PASSWORD']}@postgres:5432/homeguard"
    assert read.timescale_url == f"postgresql://homeguard:{secret['TIMESCALE_PASSWORD']}@timescale:5432/homeguard"
    mongo = f"mongodb://homeguard:{secret['MONGO_PASSWORD']}@mongo:27017/homeguard?authSource=admin"
    assert (read.mongo_url, read.scylla_hosts, read.kafka_brokers) == (mongo, "scylla:9042", "kafka:9092")
    assert read.redis_url == f"redis://:{secret['REDIS_PASSWORD']}@redis:6379/0"
    assert read.jwt_secret == secret["JWT_SECRET"]
    assert (read.host, read.data_dir, read.is_demo) == ("0.0.0.0", Path("/data/homeguard"), with_demo)
    # a broker without a home to give its devices to is refused at the start
    mqtt = f"mqtt://homeguard:{secret['MQTT_PASSWORD']}@mosquitto:1883"
    assert read.mqtt_url == (mqtt if with_demo else "")


@pytest.mark.parametrize("role", sorted(ROLES.keys() - {"all"}))
def test_every_role_is_given_what_it_asks_for_and_never_the_demo(role: str, made: Path, tmp_path: Path) -> None:
    run(made / "make-env.sh", "--demo")
    read = settings_of("docker-compose.prod.yml", role, made, tmp_path)
    assert not read.is_demo
    command = merged("docker-compose.prod.yml")[role]["command"]
    asked = load({"role": command[2]}, {}, tmp_path / "none").role
    assert role_of(replace(read, role=asked)).name == role


@pytest.fixture
def docker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `docker` that writes down what it is told."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "docker"
    script.write_text(f'#!/bin/sh\necho "${{HOMEGUARD_SIMULATOR_RATE:-10}} $*" >> {folder}/told\n')
    script.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("words", "rate", "builds", "demo"),
    [
        ([], "10", False, "false"),
        (["--demo"], "10", False, "true"),
        (["--with-load"], "200", False, "true"),
        (["--build", "--demo"], "10", True, "true"),
    ],
)
def test_one_command_brings_the_development_set_up(
    words: list[str], rate: str, builds: bool, demo: str, made: Path, docker: Path
) -> None:
    done = run(made / "dev-up.sh", *words, path=str(docker))
    assert done.returncode == 0, done.stderr
    told = (docker / "told").read_text().splitlines()
    compose = f"{rate} compose -f docker-compose.yml"
    assert told == [
        f"{compose} pull --ignore-buildable --quiet",
        *([f"{compose} build"] if builds else []),
        f"{compose} up -d --wait --wait-timeout 300",
        f"{compose} ps",
    ]
    assert variables(made)["HOMEGUARD_DEMO"] == demo


def test_a_set_without_the_demo_does_not_become_one_with_it_unasked(made: Path, docker: Path) -> None:
    run(made / "make-env.sh")
    refused = run(made / "dev-up.sh", "--with-load", path=str(docker))
    assert refused.returncode == 1
    assert "HOMEGUARD_DEMO=false" in refused.stderr
    assert not (docker / "told").exists()


def test_the_image_is_made_of_every_room_and_of_locked_parts_and_is_not_root() -> None:
    text = (FOLDER / "Dockerfile").read_text("utf-8")
    rooms = re.search(r"^ROOMS := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert rooms is not None
    copied = re.findall(r"^COPY (\w+) (\w+)$", text, re.MULTILINE)
    assert sorted(copied) == sorted((room, room) for room in rooms[1].split())
    assert f"compileall -q {rooms[1]}\n" in text
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{room}" for room in rooms[1].split()} <= set(ignored)
    assert "--no-deps --require-hashes -r /requirements.lock" in text
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001"]
