"""Reads what a chart shows, and gives the chart as the page draws it."""

from typing import Any, Final

from chat_ui.charts import Wish, bars_props, line_props, windows_of
from chat_ui.facts import name_of
from chat_ui.languages import Words
from chat_ui.rest import Rest, RestProblem

Json = dict[str, Any]

#: Devices whose power is added up for one chart.
_METERED: Final = 8


async def drawn_chart(rest: Rest, token: str, wanted: Wish, home: Json, words: Words) -> Json | None:
    """None when there is too little to see, or the home does not answer: the words of the answer stand without it."""
    try:
        if wanted.kind == "bars":
            return await _bars(rest, token, wanted, home, words)
        answer = await _windows(rest, token, wanted.device_id, wanted)
        device = next((d for d in await rest.devices(token) if d.get("id") == wanted.device_id), {})
    except RestProblem:
        return None
    unit = str(answer.get("unit") or "")
    return line_props(wanted, windows_of(answer), device=name_of(device), unit=unit, home=home, words=words)


async def _bars(rest: Rest, token: str, wanted: Wish, home: Json, words: Words) -> Json | None:
    metered = [str(m["device_id"]) for m in await rest.measured(token) if m.get("metric") == wanted.metric]
    found = [windows_of(await _windows(rest, token, device_id, wanted)) for device_id in metered[:_METERED]]
    return bars_props(wanted, found, home=home, words=words)


async def _windows(rest: Rest, token: str, device_id: str, wanted: Wish) -> Json:
    return await rest.windows(
        token, device_id, wanted.metric, start=wanted.start, end=wanted.end, every_minutes=wanted.every_minutes
    )
