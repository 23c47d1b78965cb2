"""What is written into the files of MCP clients, and what is left alone."""

import json
from pathlib import Path

import pytest

from homeguard.errors import InvalidInput
from mcp_servers.clients import CLIENTS, client_config, config_path, http_config, install, launch, merged

HOW = launch("/opt/hg/.venv/bin/homeguard", data_dir="/data", person="ann@example.com")


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_starts_the_same_program_in_its_own_words(client: str) -> None:
    config = client_config(client, {"homeguard": HOW})
    (root,) = config
    assert root == ("servers" if client == "vscode" else "mcpServers")
    entry = config[root]["homeguard"]
    assert entry["command"] == "/opt/hg/.venv/bin/homeguard"
    assert entry["args"] == ["mcp", "all", "--as", "ann@example.com", "--data-dir", "/data"]
    assert (entry.get("type") == "stdio") == (client in ("vscode", "claude-code"))


def test_the_http_form_never_holds_the_token_itself() -> None:
    config = http_config("vscode", "http://127.0.0.1:8000/")
    assert config["servers"]["homeguard"]["url"] == "http://127.0.0.1:8000/mcp"
    assert config["servers"]["homeguard"]["headers"] == {"Authorization": "Bearer ${input:homeguard-token}"}
    assert config["inputs"][0]["password"] is True
    assert http_config("claude-code", "http://h", "events")["mcpServers"]["homeguard"]["url"] == "http://h/mcp/events"
    with pytest.raises(InvalidInput):
        http_config("claude-desktop", "http://h")


def test_unknown_clients_and_servers_are_refused() -> None:
    for wrong in (lambda: client_config("emacs", {}), lambda: launch("x", server="kitchen")):
        with pytest.raises(InvalidInput):
            wrong()


@pytest.mark.parametrize(
    ("client", "platform", "path"),
    [
        ("claude-desktop", "darwin", "/h/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "linux", "/h/.config/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", "/h/AppData/Roaming/Claude/claude_desktop_config.json"),
        ("claude-code", "linux", "/p/.mcp.json"),
        ("cursor", "linux", "/p/.cursor/mcp.json"),
        ("vscode", "linux", "/p/.vscode/mcp.json"),
    ],
)
def test_each_client_has_its_file(client: str, platform: str, path: str) -> None:
    found = config_path(client, home=Path("/h"), project=Path("/p"), platform=platform, environ={})
    assert found == Path(path)


def test_installing_keeps_other_entries_and_makes_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "claude.json"
    path.parent.mkdir()
    before = {"theme": "dark", "mcpServers": {"other": {"command": "x"}, "homeguard": {"command": "old"}}}
    path.write_text(json.dumps(before))
    path.chmod(0o600)
    done = install(path, client_config("cursor", {"homeguard": HOW}))
    after = json.loads(path.read_text())
    assert (after["theme"], after["mcpServers"]["other"]) == ("dark", {"command": "x"})
    assert after["mcpServers"]["homeguard"]["command"] == HOW.command
    assert done.backup is not None
    assert json.loads(done.backup.read_text()) == before
    assert path.stat().st_mode & 0o777 == done.backup.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in path.parent.iterdir()) == ["claude.json", "claude.json.bak"]


def test_installing_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mcp.json"
    config = client_config("vscode", {"homeguard": HOW})
    assert install(path, config).changed
    assert not install(path, config).changed
    assert [p.name for p in path.parent.iterdir()] == ["mcp.json"]


@pytest.mark.parametrize("content", ["{ // a comment\n}", "[1]", '{"mcpServers": []}', "\xff\xfe"])
def test_a_file_that_is_not_understood_is_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InvalidInput):
        install(path, client_config("cursor", {"homeguard": HOW}))
    assert path.read_bytes() == content.encode("latin-1")
    assert [p.name for p in tmp_path.iterdir()] == ["mcp.json"]


def test_inputs_of_others_are_kept_and_ours_is_replaced() -> None:
    present = {"inputs": [{"id": "a"}, {"id": "homeguard-token", "description": "old"}]}
    result = merged(present, http_config("vscode", "http://h"))
    assert [i["id"] for i in result["inputs"]] == ["a", "homeguard-token"]
    assert result["inputs"][1]["description"] == "HomeGuard token"
