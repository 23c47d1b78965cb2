"""Which model answers an installation, and how its state is told: settings, /ready, /metrics, the start's lines."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "agent" / "models"))

from model_server import KEY, Fault, ModelServer, Reply, model_server

from deploy.models import chosen
from deploy.one_process import open_homeguard
from homeguard.errors import StartRefused
from homeguard.settings import Settings

UNLOCK = ("control_device", {"device_id": "front_door_lock", "command": "unlock"})


def settings(folder: Path, **more: Any) -> Settings:
    facts = {"port": 0, "demo": True, "simulator": False, "demo_history_days": 0, "rate_limits": False, **more}
    return Settings(data_dir=folder / "data", **facts)


class Person:
    """John at the REST API of an installation that runs."""

    def __init__(self, running: Any) -> None:
        self.running = running
        self.http = httpx2.AsyncClient(base_url=running.settings.base_url, trust_env=False, timeout=30)

    async def __aenter__(self) -> "Person":
        login = {"email": "john@demo.com", "password": "demo123"}
        token = (await self.http.post("/auth/login", json=login)).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.http.aclose()

    async def say(self, words: str) -> dict[str, Any]:
        answer = await self.http.post("/ai/chat", json={"message": words})
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def ready(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self.http.get("/ready")).json()
        return told

    async def figures(self, name: str) -> list[str]:
        text = (await self.http.get("/metrics")).text
        return [line for line in text.splitlines() if line.startswith(name)]


async def test_a_key_is_all_that_gemini_needs_and_its_state_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "homeguard.agent.turns")
    async with model_server(lambda heard: Reply(texts=["Good day to you."])) as server:
        told = settings(tmp_path, gemini_api_key=KEY, gemini_base_url=server.url)
        async with open_homeguard(told, stop=asyncio.Event()) as running, Person(running) as john:
            assert any(line.strip().startswith("model     gemini-3.8-flash") for line in running.welcome())
            said = await john.say("hello")
            assert (said["message"], said["model"], said["tokens"]) == (
                "Good day to you.", "gemini-3.8-flash", {"input": 120, "output": 30},
            )  # fmt: skip
            assert (await john.ready())["checks"]["model"] == {
                "ok": True, "tolerated": True, "model": "gemini-3.8-flash", "state": "closed", "reason": "",
            }  # fmt: skip
            server.always = Fault("status", 403)
            for _ in range(4):
                said = await john.say("is the back door locked?")
                assert said["model"] == "offline"
            ready = await john.ready()
            assert ready["status"] == "degraded"
            assert ready["checks"]["model"]["state"] == "open"
            assert ready["checks"]["model"]["reason"] == "the language model does not accept the key"
            assert ready["checks"]["model"]["since"]
            counted = await john.figures("gemini_requests_total")
            assert counted == [
                'gemini_requests_total{model="gemini-3.8-flash",service="agent",status="ok"} 1.0',
                'gemini_requests_total{model="gemini-3.8-flash",service="agent",status="key_refused"} 3.0',
            ]
            assert await john.figures("gemini_tokens_used_total") == [
                'gemini_tokens_used_total{service="agent",type="input"} 120.0',
                'gemini_tokens_used_total{service="agent",type="output"} 30.0',
            ]
            [took] = await john.figures("gemini_request_duration_seconds_count")
            assert took == 'gemini_request_duration_seconds_count{model="gemini-3.8-flash",service="agent"} 4.0'
    lines = [json.loads(r.message.removeprefix("request ")) for r in caplog.records if r.message.startswith("request")]
    assert [(line["model"], line["llm_tokens"]) for line in lines[:2]] == [("gemini-3.8-flash", 150), ("offline", 0)]
    assert KEY not in caplog.text


async def test_a_server_of_ones_own_goes_before_a_key_that_lies_around(tmp_path: Path) -> None:
    async with model_server(lambda heard: Reply(texts=["Here."])) as own, model_server(lambda heard: Reply()) as google:
        told = settings(tmp_path, model_url=own.url, model_name="local", gemini_api_key=KEY, gemini_base_url=google.url)
        async with open_homeguard(told, stop=asyncio.Event()) as running, Person(running) as john:
            assert (await john.say("hello"))["model"] == "local"
            assert len(await john.figures("model_requests_total")) == 1
        assert (len(own.requests), len(google.requests)) == (1, 0)


async def asks_nobody(server: ModelServer, told: Settings) -> dict[str, Any]:
    async with open_homeguard(told, stop=asyncio.Event()) as running, Person(running) as john:
        assert any(line.strip().startswith("model     the offline planner") for line in running.welcome())
        said = await john.say("lock the back door")
        state = (await john.http.get("/devices/back_door_lock")).json()["state"]
        assert (said["model"], state["lock"]) == ("offline", "locked")
        assert "limited" not in said["message"]
        assert "model" not in (await john.ready())["checks"]
    assert server.requests == []
    return said


async def test_switched_off_the_planner_answers_and_nobody_is_asked(tmp_path: Path) -> None:
    async with model_server(lambda heard: Reply(texts=["no"])) as server:
        await asks_nobody(
            server,
            settings(tmp_path, gemini_api_key=KEY, gemini_base_url=server.url, model_url=server.url, model_name="m",
                     enable_ai_agent=False),
        )  # fmt: skip


async def test_without_a_key_the_planner_answers_without_a_notice(tmp_path: Path) -> None:
    async with model_server(lambda heard: Reply(texts=["no"])) as server:
        await asks_nobody(server, settings(tmp_path, gemini_base_url=server.url))


@pytest.mark.parametrize(
    ("half", "missing"),
    [
        ({"model_url": "http://127.0.0.1:1"}, "HOMEGUARD_MODEL_NAME"),
        ({"model_name": "m"}, "HOMEGUARD_MODEL_URL"),
        ({"model_url": "127.0.0.1:1", "model_name": "m"}, "begins with http"),
    ],
)
def test_half_a_setting_stops_the_start_and_is_named(half: dict[str, str], missing: str) -> None:
    with pytest.raises(StartRefused, match=missing):
        chosen(Settings(**half))


@pytest.mark.parametrize(
    "settings", [{"model_url": "http://127.0.0.1:1", "model_name": "offline"}, {"gemini_model": "offline"}]
)
def test_no_language_model_bears_the_name_of_the_planner(settings: dict[str, str]) -> None:
    """Its words would pass for worked out by code, and not be held against what was read."""
    with pytest.raises(StartRefused, match="the planner's own name"):
        chosen(Settings(gemini_api_key="k", **settings))
