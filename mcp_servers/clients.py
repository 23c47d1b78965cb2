"""How each MCP client is told about HomeGuard: its file, its words, and a careful merge into what is there."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from homeguard.errors import InvalidInput
from mcp_servers.catalog import ALL, SERVERS

ClientName = Literal["claude-desktop", "claude-code", "cursor", "vscode", "inspector"]
CLIENTS: Final[tuple[ClientName, ...]] = ("claude-desktop", "claude-code", "cursor", "vscode", "inspector")
#: What the program needs of the environment that desktop clients do not pass on.
KEPT_ENVIRONMENT: Final = ("HOMEGUARD_DATA_DIR", "XDG_DATA_HOME")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the stdio server is started: an absolute command, its arguments and further environment."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What `install` did: the file, its backup (None: there was none before), and whether anything changed."""

    path: Path
    backup: Path | None
    changed: bool


def launch(
    command: str, *, server: str = ALL, data_dir: str = "", person: str = "", environ: Mapping[str, str] | None = None
) -> Launch:
    """`homeguard mcp <server>`, with the data folder and the person when they are not the default.

    Raises:
        InvalidInput: there is no such server.
    """
    if server not in (*SERVERS, ALL):
        raise InvalidInput(f"there is no server '{server[:40]}'", field="server", allowed=[*SERVERS, ALL])
    args = ["mcp", server]
    if person:
        args += ["--as", person]
    if data_dir:
        args += ["--data-dir", data_dir]
    kept = {name: value for name in KEPT_ENVIRONMENT if (value := (environ or {}).get(name))}
    return Launch(command=command, args=tuple(args), env=kept)


def client_config(client: str, launches: Mapping[str, Launch]) -> dict[str, Any]:
    """The JSON that this client reads, with one entry a launch (by the name that the client shows).

    Raises:
        InvalidInput: that client is not known.
    """
    _check(client)
    entries = {}
    for name, how in launches.items():
        entry: dict[str, Any] = {"command": how.command, "args": list(how.args)}
        if how.env:
            entry["env"] = dict(how.env)
        if client in ("vscode", "claude-code"):
            entry = {"type": "stdio", **entry}
        entries[name] = entry
    return {_root(client): entries}


def http_config(client: str, base_url: str, server: str = ALL) -> dict[str, Any]:
    """The same over HTTP, with the token from the environment variable `HOMEGUARD_TOKEN` (VS Code asks for it).

    Raises:
        InvalidInput: that client is not known, or starts local programs only.
    """
    _check(client)
    if client == "claude-desktop":
        raise InvalidInput("Claude Desktop starts local programs only: use the stdio form", field="client")
    url = f"{base_url.rstrip('/')}/mcp" + ("" if server == ALL else f"/{server}")
    token = {"vscode": "${input:homeguard-token}", "cursor": "${env:HOMEGUARD_TOKEN}"}.get(client, "${HOMEGUARD_TOKEN}")
    entry = {"type": "http", "url": url, "headers": {"Authorization": f"Bearer {token}"}}
    config: dict[str, Any] = {_root(client): {"homeguard": entry}}
    if client == "vscode":
        ask = {"id": "homeguard-token", "type": "promptString", "description": "HomeGuard token", "password": True}
        config["inputs"] = [ask]
    return config


def config_path(client: str, *, home: Path, project: Path, platform: str, environ: Mapping[str, str]) -> Path:
    """Where this client keeps it: Claude Desktop per person, the others in the project folder.

    Raises:
        InvalidInput: that client is not known, or has no file of its own.
    """
    _check(client)
    match client:
        case "claude-desktop" if platform == "darwin":
            return home / "Library" / "Application Support" / "Claude" / "claude_desktop_config.json"
        case "claude-desktop" if platform == "win32":
            base = Path(environ["APPDATA"]) if environ.get("APPDATA") else home / "AppData" / "Roaming"
            return base / "Claude" / "claude_desktop_config.json"
        case "claude-desktop":
            base = Path(environ["XDG_CONFIG_HOME"]) if environ.get("XDG_CONFIG_HOME") else home / ".config"
            return base / "Claude" / "claude_desktop_config.json"
        case "claude-code":
            return project / ".mcp.json"
        case "cursor":
            return project / ".cursor" / "mcp.json"
        case "vscode":
            return project / ".vscode" / "mcp.json"
    raise InvalidInput("the Inspector reads a file that you name: save what `mcp config` prints", field="client")


def merged(present: Mapping[str, Any], addition: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that was there, with our entries added or replaced by name.

    Raises:
        InvalidInput: what is there is not the shape that the client reads.
    """
    result = dict(present)
    for key, value in addition.items():
        there = result.get(key)
        if isinstance(value, Mapping):
            if there is not None and not isinstance(there, Mapping):
                raise InvalidInput(f"'{key}' in that file is not an object", field=key)
            result[key] = {**(there or {}), **value}
        else:
            if there is not None and not isinstance(there, list):
                raise InvalidInput(f"'{key}' in that file is not a list", field=key)
            ours = {item.get("id") for item in value}
            others = [i for i in there or [] if not (isinstance(i, Mapping) and i.get("id") in ours)]
            result[key] = [*others, *value]
    return result


def install(path: Path, addition: Mapping[str, Any]) -> Installed:
    """Merge into the client's file: a backup beside it first, then written whole or not at all.

    Raises:
        InvalidInput: the file cannot be read as the client's JSON; it is left as it is.
    """
    before = path.read_bytes() if path.exists() else None
    present = _read(path, before) if before is not None and before.strip() else {}
    text = json.dumps(merged(present, addition), indent=2, ensure_ascii=False) + "\n"
    if before is not None and present == json.loads(text):
        return Installed(path=path, backup=None, changed=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    backup = None
    if before is not None:
        backup = _free_name(path)
        _write(backup, before, like=path)
    _write(path, text.encode(), like=path if before is not None else None)
    return Installed(path=path, backup=backup, changed=True)


def _read(path: Path, content: bytes) -> Mapping[str, Any]:
    try:
        present = json.loads(content.decode("utf-8-sig"))
    except ValueError as error:
        raise InvalidInput(f"{path} is not plain JSON (comments?): add the entry by hand", field="path") from error
    if not isinstance(present, Mapping):
        raise InvalidInput(f"{path} does not hold a JSON object", field="path")
    return present


def _free_name(path: Path) -> Path:
    name, number = path.with_name(f"{path.name}.bak"), 1
    while name.exists():
        name, number = path.with_name(f"{path.name}.bak{number}"), number + 1
    return name


def _write(path: Path, content: bytes, *, like: Path | None) -> None:
    """Beside it first, then in its place; a link keeps pointing to the same file."""
    target = path.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if like is not None and like.exists():
            Path(name).chmod(like.stat().st_mode & 0o777)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _root(client: str) -> str:
    return "servers" if client == "vscode" else "mcpServers"


def _check(client: str) -> None:
    if client not in CLIENTS:
        raise InvalidInput(f"'{client[:40]}' is not a client that we know", field="client", allowed=list(CLIENTS))
