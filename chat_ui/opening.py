"""The small page that is shown for the second or two in which the chat library is loaded."""

from html import escape
from typing import Final

from chat_ui.languages import Words

SCRIPT: Final = b"""\
const look = async () => {
  try {
    const answer = await fetch("/chat/ready", { headers: { accept: "application/json" }, cache: "no-store" });
    if (answer.status === 401) { location.reload(); return; }
    const state = await answer.json();
    if (state.ready || state.problem) { location.reload(); return; }
  } catch (error) { /* the server is busy: look again */ }
  setTimeout(look, 400);
};
if (document.body.dataset.state === "opening") setTimeout(look, 250);
"""

_STYLE: Final = """
:root{color-scheme:light dark;--bg:#f8f6f2;--ink:#26221c;--soft:#6f675c;--accent:#e2761f;--line:#e6e0d6}
@media (prefers-color-scheme:dark){:root{--bg:#11141b;--ink:#f0ebe2;--soft:#a49c90;--accent:#f0833a;--line:#262b36}}
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--bg);
color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{text-align:center;padding:2rem;max-width:30rem}svg{width:72px;height:72px;color:var(--accent)}
h1{font-size:1.35rem;margin:1rem 0 .25rem;font-weight:650}p{margin:.25rem 0;color:var(--soft);overflow-wrap:anywhere}
.bar{height:4px;width:180px;margin:1.5rem auto 0;border-radius:4px;background:var(--line);overflow:hidden}
.bar i{display:block;height:100%;width:40%;border-radius:4px;background:var(--accent);
animation:go 1.2s ease-in-out infinite}
@keyframes go{from{transform:translateX(-110%)}to{transform:translateX(270%)}}
@media (prefers-reduced-motion:reduce){.bar i{animation:none;width:100%;opacity:.5}}a{color:var(--accent)}
"""
_HOUSE: Final = (
    '<svg viewBox="0 0 60 60" fill="none" stroke="currentColor" stroke-width="4.5" stroke-linejoin="round" '
    'stroke-linecap="round" aria-hidden="true"><path d="M9 29 30 11l21 18v18a4 4 0 0 1-4 4H13a4 4 0 0 1-4-4z"/>'
    '<path d="m21 35 6.5 6.5L40 29"/></svg>'
)


def page(problem: str | None, words: Words) -> bytes:
    """The page as UTF-8 HTML; `problem` is why the chat could not be opened, None while it is being opened."""
    if problem is None:
        state, said = "opening", f"<h1>{_text(words, 'opening')}</h1><p>{_text(words, 'first')}</p>"
        said += f'<div class="bar" role="progressbar" aria-label="{_text(words, "opening")}"><i></i></div>'
    else:
        state = "failed"
        said = f"<h1>{_text(words, 'failed')}</h1><p>{escape(problem)}</p>"
        said += f'<p><a href="/chat/">{_text(words, "again")}</a></p><p>{_text(words, "keeps")}</p>'
    refresh = '<noscript><meta http-equiv="refresh" content="2"></noscript>' if problem is None else ""
    return (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>HomeGuard</title>'
        f'<link rel="icon" href="data:,">{refresh}<style>{_STYLE}</style></head>'
        f'<body data-state="{state}"><main role="status">{_HOUSE}{said}</main>'
        '<script src="/chat/opening.js"></script></body></html>'
    ).encode()


def _text(words: Words, key: str) -> str:
    return escape(words.say(f"page.{key}"), quote=True)
