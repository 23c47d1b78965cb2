"""Brings in Chainlit, once, with our settings and none of its own: environment, files, patches, the ASGI app."""

import importlib.util
import json
import os
import shutil
import sys
import types
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from chat_ui.guard import COOKIE, PREFIX
from chat_ui.languages import LANGUAGES, library_texts

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]

_HERE: Final = Path(__file__).parent
API_URL_VARIABLE: Final = "HOMEGUARD_CHAT_API_URL"
#: Variables that would switch on parts of Chainlit that are not ours; hidden from it while it is imported.
_HIDDEN: Final = (
    "DATABASE_URL", "LITERAL_API_KEY", "LITERAL_API_URL", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET",
    "SLACK_WEBSOCKET_TOKEN", "TEAMS_APP_ID", "TEAMS_APP_PASSWORD", "DISCORD_BOT_TOKEN", "CHAINLIT_URL",
    "CHAINLIT_DEBUG", "CHAINLIT_PARENT_ROOT_PATH", "CHAINLIT_AUTH_COOKIE_PATH", "CHAINLIT_COOKIE_SAMESITE",
)  # fmt: skip


def load_chainlit(root: Path, api_url: str, secret: str) -> App:
    """The chat as an ASGI app that lives at `/chat`. Blocks for a second or two: call it in a thread, once.

    `root` gets Chainlit's files (settings, translations, our pictures); nothing of a conversation is kept there.
    """
    write_root(root)
    os.environ.update(
        {
            "CHAINLIT_APP_ROOT": str(root),
            "CHAINLIT_ROOT_PATH": PREFIX,
            "CHAINLIT_AUTH_COOKIE_NAME": COOKIE,
            "CHAINLIT_AUTH_SECRET": secret,
            "CHAINLIT_CUSTOM_AUTH": "1",
            # Chainlit reads a .env of the working directory at import; ours is read by our own settings.
            "CHAINLIT_ENV_FILE": os.devnull,
            API_URL_VARIABLE: api_url,
        }
    )
    _stub_traceloop()
    with _hidden_variables():
        from chainlit.config import config, load_module
        from chainlit.server import app as chainlit

        target = _HERE / "app.py"
        config.run.module_name = str(target)
        before = list(sys.path)
        try:
            load_module(str(target))
        finally:
            # Chainlit puts our folder first on the path; there its files could shadow somebody's modules.
            sys.path[:] = before
        from chat_ui.presses import Presses
    return Presses(chainlit)


async def close_chainlit() -> None:
    """Ends the chat's background tasks and closes its HTTP client; the chat library itself stays imported."""
    from chainlit.data import get_data_layer

    layer = get_data_layer()
    if layer is not None:
        await layer.close()


def write_root(root: Path) -> None:
    """Writes our settings, texts and pictures into `root`, over what an older version left there."""
    settings = root / ".chainlit"
    (settings / "translations").mkdir(parents=True, exist_ok=True)
    shutil.copytree(_HERE / "public", root / "public", dirs_exist_ok=True)
    shutil.copyfile(_HERE / "config.toml", settings / "config.toml")
    # The library takes one script, and a line of the one must not go on in the other.
    parts = [(_HERE / "public" / name).read_bytes() for name in ("elements.js", "homeguard.js")]
    (root / "public" / "page.js").write_bytes(b"\n;\n".join(parts))
    (root / "chainlit.md").write_text("", encoding="utf-8")
    theirs = _chainlit_folder() / "translations"
    for language in LANGUAGES:
        texts = json.loads((theirs / "en-US.json").read_text(encoding="utf-8"))
        said = json.dumps(_merged(texts, library_texts(language)), ensure_ascii=False, indent=1)
        (settings / "translations" / f"{language}.json").write_text(said, encoding="utf-8")
        (root / f"chainlit_{language}.md").write_text("", encoding="utf-8")


def _chainlit_folder() -> Path:
    spec = importlib.util.find_spec("chainlit")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("chainlit is not installed")
    return Path(spec.submodule_search_locations[0])


def _merged(texts: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **texts,
        **{k: _merged(texts.get(k, {}), v) if isinstance(v, Mapping) else v for k, v in ours.items()},
    }


def _stub_traceloop() -> None:
    """Chainlit imports a tracing kit through literalai and never uses it: 60 MiB that nobody needs."""
    package, sdk = types.ModuleType("traceloop"), types.ModuleType("traceloop.sdk")
    package.__path__ = []
    vars(sdk)["Traceloop"] = None
    vars(package)["sdk"] = sdk
    sys.modules.setdefault("traceloop", package)
    sys.modules.setdefault("traceloop.sdk", sdk)


@contextmanager
def _hidden_variables() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in _HIDDEN if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
