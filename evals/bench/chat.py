"""How long a person waits in the browser: from Enter to the first words and to a card, and until the page is there.

`python -m evals.bench.chat` drives headless Chromium against `homeguard up` with the demo home. The baseline of the
same run is an empty page of the same server, on which Enter asks `/live` and draws the answer: what the browser, the
machine and one request take without a chat. Every time is taken in the page, from the key to the drawn frame.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from evals.bench.instance import Stolen, free_port, in_a_folder, machine, pinned
from evals.bench.table import table

_CHROMIUM: Final = os.environ.get("HOMEGUARD_CHROMIUM", "/usr/bin/chromium")
_FLAGS: Final = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
_LOGIN: Final = {"email": "john@demo.com", "password": "demo123"}
_WAIT_MS: Final = 30_000
#: From the next Enter to the frame in which `drawn()` holds.
_TIMED: Final = """(drawn) => { window.timed = new Promise((done) => {
  const is = new Function("return " + drawn)
  addEventListener("keydown", (event) => { if (event.key !== "Enter") return
    const begun = performance.now()
    const look = () => is() ? requestAnimationFrame(() => done(performance.now() - begun)) : requestAnimationFrame(look)
    look() }, { once: true, capture: true }) }) }"""
_ANSWERS: Final = (
    '[...document.querySelectorAll(".ai-message [role=article]")].filter((e) => e.innerText.trim()).length'
)
_CARDS: Final = 'document.querySelectorAll("[data-testid=confirm-card][data-state=open]").length'
_EMPTY: Final = """() => { document.body.innerHTML = '<textarea id="t"></textarea><p id="said"></p>'
  const box = document.getElementById("t"); let n = 0; box.focus()
  box.addEventListener("keydown", async (event) => { if (event.key !== "Enter") return
    event.preventDefault(); const answer = await fetch("/live", { cache: "no-store" })
    document.getElementById("said").textContent = ++n + await answer.text() }) }"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=40, help="of each kind, after two that are not counted")
    options = parser.parse_args()
    return in_a_folder(lambda folder: _bench(folder, options.times))


async def _bench(folder: Path, times: int) -> None:
    from playwright.async_api import async_playwright

    cores, stolen = pinned(), Stolen()
    print(f"machine: {machine(cores)}")
    print("server: demo home with 30 days of history, rules as its model, rate limits off; Chromium on the other core")
    async with _serving(folder / "data", cores.server) as address, async_playwright() as engine:
        browser = await engine.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(_WAIT_MS)
        rows = {"an empty page: Enter to the answer of /live": await _empty(page, address, times)}
        await page.request.post(f"{address}/api/v1/auth/login", data=_LOGIN)
        first_ms = await _opened(page, address)
        rows["the chat again: to the card of the home"] = [await _opened(page, address) for _ in range(times)]
        rows["a question: Enter to its first words"] = await _anew(page, address, times, lambda n: _asked(page, n))
        rows["a T3 request: Enter to its card"] = await _anew(page, address, times, lambda n: _carded(page, address, n))
        await _opened(page, address)
        rows[f"the last ten of {times + 10} questions in one conversation"] = (await _asked(page, times + 10))[-10:]
        await browser.close()
    print(f"the first visit, which loads the chat library: {first_ms:,.0f} ms; stolen {stolen.percent():.1f} %\n")
    print(_told(rows))


async def _empty(page: Any, address: str, times: int) -> list[float]:
    await page.goto(f"{address}/login")
    await page.evaluate(_EMPTY)
    return await _each(
        times, lambda n: _timed(page, f'document.getElementById("said").textContent.startsWith("{n + 1}")')
    )


async def _opened(page: Any, address: str) -> float:
    """Milliseconds from the visit to the home beside an empty conversation."""
    await page.goto("about:blank")
    await page.goto(f"{address}/chat/", wait_until="commit")
    await page.locator("#hg-home").wait_for()
    return float(await page.evaluate("performance.now()"))


async def _asked(page: Any, times: int) -> list[float]:
    async def ask(_: int) -> float:
        before = await page.evaluate(_ANSWERS)
        return await _said(page, "Is everything locked?", f"{_ANSWERS} > {before}")

    return await _each(times, ask)


async def _carded(page: Any, address: str, times: int) -> list[float]:
    async def ask(_: int) -> float:
        took_ms = await _said(page, "Unlock the front door", f"{_CARDS} > 0")
        for card in (await (await page.request.get(f"{address}/api/v1/confirmations")).json())["items"]:
            await page.request.post(f"{address}/api/v1/confirmations/{card['id']}", data={"approve": False})
        await page.wait_for_function(f"{_CARDS} === 0")
        return took_ms

    return await _each(times, ask)


async def _said(page: Any, text: str, drawn: str) -> float:
    """Types, and takes the time from Enter; a page that is still busy with the turn before takes no Enter."""
    await page.wait_for_function("!document.querySelector('#stop-button')")
    await page.fill("#chat-input", text)
    await page.wait_for_function("!document.querySelector('#chat-submit')?.disabled")
    await page.locator("#chat-input").focus()
    return await _timed(page, drawn)


async def _timed(page: Any, drawn: str) -> float:
    await page.evaluate(_TIMED, drawn)
    await page.keyboard.press("Enter")
    return float(await asyncio.wait_for(page.evaluate("window.timed"), _WAIT_MS / 1000))


async def _anew(page: Any, address: str, times: int, ask: Callable[[int], Awaitable[list[float]]]) -> list[float]:
    """In conversations of ten, as people have them."""
    taken: list[float] = []
    while len(taken) < times:
        await _opened(page, address)
        taken += await ask(min(10, times - len(taken)))
    return taken


async def _each(times: int, measure: Callable[[int], Awaitable[float]]) -> list[float]:
    """The first two of a kind warm up."""
    return [await measure(n) for n in range(times + 2)][2:]


def _told(rows: dict[str, list[float]]) -> str:
    base = statistics.median(next(iter(rows.values())))
    return table(
        {
            name: [
                {
                    "n": len(taken), "median ms": statistics.median(taken),
                    "p95 ms": sorted(taken)[len(taken) * 95 // 100],
                    "largest ms": max(taken), "times the empty page": statistics.median(taken) / base,
                }
            ]
            for name, taken in rows.items()
        },
        {"n": 0, "median ms": 0, "p95 ms": 0, "largest ms": 0, "times the empty page": 1},
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _serving(data: Path, cores: frozenset[int]) -> AsyncIterator[str]:
    """The address of `homeguard up` with its demo homes, as a person starts it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli.main", "up", "--no-simulator", "--port", str(port), "--data-dir", str(data)],
        stdout=subprocess.PIPE, start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, cores),
        env={**os.environ, "HOMEGUARD_RATE_LIMITS": "off", "HOMEGUARD_LOG_LEVEL": "warning"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        while not (line := await asyncio.to_thread(process.stdout.readline)).startswith(b"ready "):
            if process.poll() is not None:
                raise RuntimeError("the server did not start")
        yield line.split()[1].decode()
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 30)


if __name__ == "__main__":
    sys.exit(main())
