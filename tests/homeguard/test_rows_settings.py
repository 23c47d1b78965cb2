"""The switches that people set in the environment or in `.env`, under their own names."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from homeguard.errors import StartRefused
from homeguard.settings import Settings, load

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def read(tmp_path: Path, text: str = "", **environ: str) -> Settings:
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    return load({}, environ, tmp_path / ".env")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("ENABLE_AI_AGENT", "enable_ai_agent"),
        ("ENABLE_ANOMALY_DETECTION", "enable_anomaly_detection"),
        ("ENABLE_DEMO_MODE", "demo"),
    ],
)
@pytest.mark.parametrize(("word", "value"), [("true", True), ("1", True), ("false", False), ("off", False)])
def test_a_switch_is_read_by_its_name_and_by_ours(
    tmp_path: Path, name: str, field: str, word: str, value: bool
) -> None:
    assert getattr(read(tmp_path, **{name: word}), field) is value
    assert getattr(read(tmp_path, **{f"HOMEGUARD_{field.upper()}": word}), field) is value
    assert getattr(read(tmp_path, f"{name}={word}\n"), field) is value


def test_the_demo_is_on_here_and_must_be_asked_for_where_others_reach_it(tmp_path: Path) -> None:
    assert read(tmp_path).is_demo
    assert not read(tmp_path, ENABLE_DEMO_MODE="false").is_demo
    with pytest.raises(StartRefused, match="reachable from other machines"):
        read(tmp_path, HOMEGUARD_HOST="0.0.0.0")
    assert read(tmp_path, HOMEGUARD_HOST="0.0.0.0", ENABLE_DEMO_MODE="true").is_demo
    assert not read(tmp_path, HOMEGUARD_HOST="0.0.0.0", ENABLE_DEMO_MODE="false").is_demo


def test_flags_win_over_the_environment_and_the_environment_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('HOMEGUARD_PORT=1\nexport HOMEGUARD_MQTT_HOME="file"\n# HOMEGUARD_LOG_LEVEL=debug\n')
    settings = load({"port": 3, "host": None}, {"HOMEGUARD_PORT": "2"}, tmp_path / ".env")
    assert (settings.port, settings.mqtt_home, settings.log_level) == (3, "file", "info")


def test_a_value_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="HOMEGUARD_PORT='many'"):
        read(tmp_path, HOMEGUARD_PORT="many")


@pytest.mark.parametrize("name", ["GEMINI_API_KEY", "GEMINI_TEXT_API_KEY", "HOMEGUARD_GEMINI_API_KEY"])
def test_the_key_of_gemini_is_the_person_s_and_read_by_its_usual_names(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, **{name: "k"}).gemini_api_key == "k"
    assert read(tmp_path).gemini_api_key == ""


def test_what_other_programs_are_told_of_their_models_is_not_read(tmp_path: Path) -> None:
    others = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://h", "OPENAI_MODEL": "m", "GOOGLE_API_KEY": "k"}
    assert read(tmp_path, **others) == read(tmp_path)


def test_the_example_names_every_setting_sets_none_and_holds_no_secret() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    assert all(not line.strip() or line.startswith("#") for line in lines)
    written = dict(re.findall(r"^# ?([A-Z][A-Z0-9_]+)=(.*)$", "\n".join(lines), re.MULTILINE))
    known = {f"HOMEGUARD_{field.name.upper()}" for field in fields(Settings)}
    common = {
        "GEMINI_API_KEY", "GEMINI_MODEL", "MQTT_URL", "MQTT_HOME", "ENABLE_AI_AGENT", "ENABLE_ANOMALY_DETECTION",
        "ENABLE_DEMO_MODE",
    }  # fmt: skip
    covered = {name.removeprefix("HOMEGUARD_").removeprefix("GOOGLE_") for name in written} | {"DEMO"}
    assert {name.removeprefix("HOMEGUARD_") for name in known} <= covered
    assert common <= set(written)
    assert not {value for name, value in written.items() if name.endswith("KEY")}.difference({""})


def test_the_example_with_every_line_switched_on_says_what_the_defaults_say(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    switched_on = re.sub(r"^# ?([A-Z][A-Z0-9_]+=)", r"\1", text, flags=re.MULTILINE)
    settings, defaults = read(tmp_path, switched_on), read(tmp_path)
    different = {f.name for f in fields(Settings) if getattr(settings, f.name) != getattr(defaults, f.name)}
    assert different <= {"data_dir", "demo"}
    assert settings.is_demo == defaults.is_demo
