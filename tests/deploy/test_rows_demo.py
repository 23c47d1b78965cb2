"""The demo: who is there at the first start, with which devices, and that it can be left out."""

import asyncio
from pathlib import Path

import pytest

from deploy.one_process import open_homeguard
from homeguard.errors import NotSignedIn
from homeguard.settings import Settings


async def test_the_demo_brings_its_people_who_can_sign_in_and_their_devices(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", demo=True, simulator=False)
    async with open_homeguard(settings, stop=asyncio.Event(), serve=False) as running:
        counts = {}
        for email in ("john@demo.com", "sarah@demo.com"):
            signed_in = await running.identity.login(email, "demo123")
            assert signed_in.home is not None
            counts[signed_in.user.email] = len(await running.stores.devices.of_home(signed_in.home.id))
        admin = await running.identity.login("admin@demo.com", "demo123")
    assert counts == {"john@demo.com": 5, "sarah@demo.com": 12}
    assert (admin.user.role, admin.home) == ("admin", None)


async def test_without_the_demo_nobody_is_there_and_its_password_opens_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", demo=False, simulator=False)
    async with open_homeguard(settings, stop=asyncio.Event(), serve=False) as running:
        assert running.demo is None
        assert list(await running.stores.users.homes()) == []
        with pytest.raises(NotSignedIn):
            await running.identity.login("john@demo.com", "demo123")
        assert not any("demo123" in line for line in running.welcome())
