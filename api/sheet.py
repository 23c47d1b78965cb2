"""The frame of our pages with a form: one sheet of paper, no scripts. Pure."""

from collections.abc import Sequence
from html import escape
from typing import Final

_SHEET: Final = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">{refresh}
  <title>{title} · HomeGuard</title>
  <link rel="icon" href="/static/favicon.svg">
  <link rel="stylesheet" href="/static/pages.css">
</head>
<body>
  <main class="sheet">
    <header class="brand">
      <img src="/static/logo.svg" alt="" width="52" height="52">
      <div><h1>HomeGuard</h1><p id="home">{heading}</p></div>
    </header>
{body}
    <p class="foot"><a href="/chat/">Open the chat</a></p>
  </main>
</body>
</html>
"""


def sheet(title: str, heading: str, lines: Sequence[str], *, refresh_s: int | None = None) -> str:
    """A whole page. `title` and `heading` (the line under our name) are text, `lines` are HTML with all text in it
    escaped. `refresh_s`: when the browser loads the page anew, None for never."""
    refresh = "" if refresh_s is None else f'\n  <meta http-equiv="refresh" content="{refresh_s}">'
    return _SHEET.format(refresh=refresh, title=escape(title), heading=escape(heading), body="\n".join(lines))


def problem_line(text: str) -> str:
    """What was wrong with the last press, or why there is nothing to press; a screen reader says it at once."""
    return f'    <p id="problem" class="problem" role="alert">{escape(text)}</p>'
