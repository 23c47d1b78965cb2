"""How the home is, for one open page: read once, then followed by what happens; the page is told what differs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from chat_ui.facts import changed, facts_of, name_of
from chat_ui.languages import Words
from chat_ui.rest import Rest, RestProblem, SignedOut
from chat_ui.status import home_card, opening

Json = dict[str, Any]
log = logging.getLogger("homeguard.chat")

#: What comes close together is told together.
_TOGETHER_S: Final = 0.25
#: A device that is not known yet: the list is read again, at most so often.
_READ_AGAIN_S: Final = 5.0


class HomeWatch:
    """`tell(data)` sends something to the page's script. `home` is as REST shows it, empty until it was read."""

    def __init__(
        self, rest: Rest, token: str, words: Words, name: str, tell: Callable[[Json], Awaitable[None]]
    ) -> None:
        self._rest = rest
        self._token = token
        self._words = words
        self._name = name
        self._tell = tell
        self.home: Json = {}
        self._devices: dict[str, Mapping[str, Any]] | None = None
        self._told: Json = {}
        self._read_at = 0.0
        self._due = asyncio.Event()

    async def read(self) -> None:
        """Reads it and tells the page. Raises SignedOut."""
        self._read_at = asyncio.get_running_loop().time()
        try:
            found = await self._rest.devices(self._token)
            me = await self._rest.me(self._token)
        except SignedOut:
            raise
        except RestProblem as problem:
            log.info("the home could not be read for a chat: %s", problem)
            if self._devices is None:
                said = {"name": self._name, "text": problem.sentence(self._words), "tone": "notice"}
                await self._tell({"status": said})
            return
        self.home = dict(me.get("home") or {})
        self._devices = {str(device.get("id")): device for device in found}
        await self._tell_page()

    async def happened(self, name: str, data: Json) -> None:
        """Something of the live stream. Raises SignedOut."""
        if self._devices is None:
            return
        if name == "mode":
            self.home = {**self.home, **{k: data[k] for k in ("mode", "arm_state") if data.get(k)}}
        else:
            try:
                after = changed(self._devices, data)
            except KeyError:
                if asyncio.get_running_loop().time() - self._read_at >= _READ_AGAIN_S:
                    await self.read()
                return
            if after is None:
                return
            self._devices = after
        self._due.set()

    def name_of(self, device_id: str) -> str:
        """What a device is called; empty for one that is not known here."""
        device = (self._devices or {}).get(device_id)
        return name_of(device) if device is not None else ""

    async def keep_telling(self) -> None:
        """Tells the page what has changed, for as long as it is open."""
        while True:
            await self._due.wait()
            await asyncio.sleep(_TOGETHER_S)
            self._due.clear()
            await self._tell_page()

    async def tell_again(self) -> None:
        """The page may have missed what it was told last."""
        self._told = {}
        if self._devices is not None:
            await self._tell_page()

    async def _tell_page(self) -> None:
        facts = facts_of(list((self._devices or {}).values()))
        said = opening(facts, self._words)
        told: Json = {
            "status": {"name": self._name, "text": said.text, "tone": said.tone},
            "home": home_card(facts, self.home, self._words),
        }
        if told != self._told:
            self._told = told
            await self._tell(told)
