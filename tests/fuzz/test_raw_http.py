"""Bytes on an HTTP connection that no client would send: a refusal or a closed connection, for the sender only."""

import socket
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from instances import Up, until
from neighbour import Neighbour, open_files, rss_mib

pytestmark = pytest.mark.timeout(120)

#: What the process may grow by, over all of it.
MAY_GROW_MIB: Final = 20.0
_HANG_UP: Final = 0
BODY: Final = b'{"device_id": "no-such", "event_type": "telemetry"}'


@dataclass(frozen=True, slots=True)
class Raw:
    """`answers`: the statuses that are right, 0 for a connection that is closed without one. `then_closes`: the client
    stops sending there, so that an unfinished request is seen as that."""

    name: str
    sent: bytes
    answers: frozenset[int]
    then_closes: bool = False


def _post(*headers: bytes, body: bytes = b"", path: bytes = b"/telemetry", version: bytes = b"HTTP/1.1") -> bytes:
    lines = [b"POST " + path + b" " + version, b"Host: h", b"Content-Type: application/json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _get(target: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", b"Host: h", *headers]) + b"\r\n\r\n"


def _raws(token: bytes) -> Iterator[Raw]:
    me = b"Authorization: Bearer " + token
    size = b"Content-Length: %d" % len(BODY)
    refused, hung_up = frozenset((400,)), frozenset((400, _HANG_UP))

    def raw(name: str, sent: bytes, *answers: int, then_closes: bool = False) -> Raw:
        return Raw(name, sent, frozenset(answers) or refused, then_closes)

    # lengths that lie
    yield raw("length too long", _post(me, b"Content-Length: 5000", body=BODY), _HANG_UP, then_closes=True)
    yield raw("length too short", _post(me, b"Content-Length: 10", body=BODY), 422, 400)
    yield raw("length of 0", _post(me, b"Content-Length: 0"), 422)
    yield raw("no length", _post(me), 422)
    yield raw("negative length", _post(me, b"Content-Length: -1", body=BODY), *hung_up)
    yield raw("length of words", _post(me, b"Content-Length: many", body=BODY), *hung_up)
    yield raw("hex length", _post(me, b"Content-Length: 0x10", body=BODY), *hung_up)
    yield raw("length with a sign", _post(me, b"Content-Length: +10", body=BODY), *hung_up)
    yield raw("huge length", _post(me, b"Content-Length: 99999999999999999999999", body=BODY), 413, *hung_up)
    yield raw("10 GB announced", _post(me, b"Content-Length: 10000000000", body=BODY), 413)
    yield raw("length of 5,000 digits", _post(me, b"Content-Length: " + b"9" * 5_000, body=BODY), 413, *hung_up)
    yield raw("two lengths", _post(me, size, b"Content-Length: 1", body=BODY), *hung_up)
    yield raw("the same length twice", _post(me, size, size, body=BODY), 404, *hung_up)
    yield raw("length and chunks", _post(me, size, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 422, *hung_up)
    yield raw("10 MB", _post(me, b"Content-Length: %d" % (10 << 20), body=b"x" * (10 << 20)), 413)
    # chunks
    chunked = b"Transfer-Encoding: chunked"
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    yield raw("chunks", _post(me, chunked, body=whole), 404)
    yield raw(
        "one byte a chunk", _post(me, chunked, body=b"".join(b"1\r\n%c\r\n" % c for c in BODY) + b"0\r\n\r\n"), 404
    )
    yield raw("chunk of words", _post(me, chunked, body=b"zz\r\nabc\r\n"), *hung_up)
    yield raw("negative chunk", _post(me, chunked, body=b"-1\r\nabc\r\n"), *hung_up)
    yield raw("huge chunk", _post(me, chunked, body=b"f" * 40 + b"\r\nabc\r\n"), *hung_up)
    yield raw("chunk of 1 TB", _post(me, chunked, body=b"10000000000\r\nabc"), *hung_up, then_closes=True)
    yield raw("chunk without its end", _post(me, chunked, body=b"3\r\nabcdef\r\n"), *hung_up)
    yield raw("chunk extension of 1 MB", _post(me, chunked, body=b"3;" + b"a" * (1 << 20) + b"\r\n{} \r\n0\r\n\r\n"),
              422, 413, *hung_up)  # fmt: skip
    yield raw("trailers of 1 MB", _post(me, chunked, body=b"2\r\n{}\r\n0\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n"),
              422, 431, *hung_up)  # fmt: skip
    yield raw("10 MB in chunks", _post(me, chunked, body=(b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 160), 413)
    yield raw("gzip as transfer", _post(me, b"Transfer-Encoding: gzip", body=BODY), 422, 501, *hung_up)
    bomb = zlib.compress(b"{" + b" " * 20_000_000 + b"}")
    for coding in (b"gzip", b"deflate", b"br", b"zstd", b"x"):
        coded = (me, b"Content-Encoding: " + coding, b"Content-Length: %d" % len(bomb))
        yield raw(f"{coding.decode()} bomb", _post(*coded, body=bomb), 422)
    # heads
    yield raw("1 MB of one header", _get(b"/health", b"X: " + b"a" * (1 << 20)), 431, *hung_up)
    yield raw("1 MB of target", _get(b"/" + b"a" * (1 << 20)), 414, *hung_up)
    yield raw("10,000 headers", _get(b"/health", *(b"X-%d: a" % i for i in range(10_000))), 431, *hung_up)
    yield raw("header without colon", _get(b"/health", b"nonsense"), *hung_up)
    yield raw("blank in a header's name", _get(b"/health", b"a b: c"), *hung_up)
    yield raw("NUL in a header", _get(b"/health", b"X: a\x00b"), *hung_up)
    yield raw("folded header", _get(b"/health", b"X: a", b" b"), 200, *hung_up)
    yield raw("bytes in a header", _get(b"/api/v1/devices", b"Authorization: Bearer \xff\xfe"), 401, *hung_up)
    yield raw("two tokens", _get(b"/api/v1/devices", me, b"Authorization: Bearer x"), 401)
    yield raw("token of 60 KB", _get(b"/api/v1/devices", b"Authorization: Bearer " + b"x" * 60_000), 401, 431, *hung_up)
    yield raw("no scheme", _get(b"/api/v1/devices", b"Authorization: " + token), 401)
    yield raw("no host", b"GET /health HTTP/1.1\r\n\r\n", 200, *hung_up)
    yield raw("two hosts", b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 200, *hung_up)
    yield raw("odd host", b"GET /health HTTP/1.1\r\nHost: ../..\r\n\r\n", 200, *hung_up)
    # request lines
    yield raw("nothing", b"", _HANG_UP, then_closes=True)
    yield raw("noise", bytes(range(256)), *hung_up)
    yield raw("tls hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100, *hung_up)
    yield raw("http/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", *hung_up)
    yield raw("http/9", b"GET /health HTTP/9.9\r\nHost: h\r\n\r\n", 200, 505, *hung_up)
    yield raw("http/0.9", b"GET /health\r\n", *hung_up, then_closes=True)
    yield raw("lower case", b"get /health http/1.1\r\nHost: h\r\n\r\n", 405, *hung_up)
    yield raw("unknown method", b"FROB /health HTTP/1.1\r\nHost: h\r\n\r\n", 405, *hung_up)
    yield raw("long method", b"A" * 100_000 + b" / HTTP/1.1\r\nHost: h\r\n\r\n", 405, *hung_up)
    yield raw("connect", b"CONNECT evil:443 HTTP/1.1\r\nHost: evil\r\n\r\n", 404, 405, *hung_up)
    yield raw("absolute target", _get(b"http://evil/health"), 200, 404, *hung_up)
    yield raw("star", b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 404, 405, *hung_up)
    yield raw("NUL in the target", _get(b"/api/v1/devices/%00", me), 404, 422)
    yield raw("raw NUL in the target", _get(b"/a\x00b"), 404, *hung_up)
    yield raw("bad escape", _get(b"/api/v1/devices/%zz", me), 404, 422, *hung_up)
    yield raw("not utf-8", _get(b"/api/v1/devices/%ff%fe", me), 404, 422)
    yield raw("raw bytes in the target", _get(b"/\xff\xfe"), 404, *hung_up)
    yield raw("dots", _get(b"/static/../../../../etc/passwd"), 404, *hung_up)
    yield raw("escaped dots", _get(b"/static/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), 404)
    yield raw("10,000 parameters", _get(b"/api/v1/devices?" + b"&".join(b"a%d=1" % i for i in range(10_000)), me),
              200, 414, 422, 431, *hung_up)  # fmt: skip
    yield raw("bare newlines", b"GET /health HTTP/1.1\nHost: h\n\n", 200, *hung_up)
    yield raw("bare returns", b"GET /health HTTP/1.1\rHost: h\r\r", *hung_up, then_closes=True)
    yield raw("blank before", b" GET /health HTTP/1.1\r\nHost: h\r\n\r\n", *hung_up)
    yield raw("newlines before", b"\r\n\r\nGET /health HTTP/1.1\r\nHost: h\r\n\r\n", 200, *hung_up)
    # half requests and sockets
    yield raw("half a head", b"POST /telemetry HTTP/1.1\r\nHo", *hung_up, then_closes=True)
    yield raw("half a body", _post(me, size, body=BODY[:10]), _HANG_UP, then_closes=True)
    yield raw("upgrade to nonsense", _get(b"/api/v1/events/stream", me, b"Connection: Upgrade", b"Upgrade: nonsense"),
              200, 400, 426, *hung_up)  # fmt: skip
    socket_head = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
    yield raw("socket without key", _get(b"/api/v1/events/stream", me, *socket_head), *hung_up)
    yield raw(
        "socket with a bad key", _get(b"/api/v1/events/stream", me, *socket_head, b"Sec-WebSocket-Key: x"), *hung_up
    )
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    old = (*socket_head[:2], b"Sec-WebSocket-Version: 99", key)
    yield raw("socket of version 99", _get(b"/api/v1/events/stream", me, *old), 426, *hung_up)
    yield raw("socket without a caller", _get(b"/api/v1/events/stream", *socket_head, key), 401, 403)
    good = _get(b"/health")
    yield raw("1,000 pipelined", good * 1_000, 200)
    yield raw("smuggled", _post(me, b"Content-Length: 4", chunked, body=b"0\r\n\r\n" + good), 422, *hung_up)
    yield raw("expects", _post(me, size, b"Expect: 100-continue", body=BODY), 100, 404)
    yield raw("expects nonsense", _post(me, size, b"Expect: nonsense", body=BODY), 404, 417, *hung_up)


def exchange(port: int, raw: Raw) -> bytes:
    """What comes back: the first whole answer, or what there is when the server closes."""
    back = b""
    with socket.create_connection(("127.0.0.1", port), timeout=8) as made:
        sending = threading.Thread(target=_send, args=(made, raw), daemon=True)
        sending.start()
        try:
            while not _is_whole(back) and (some := made.recv(65_536)):
                back += some
        except TimeoutError:
            back = b"?"
        except ConnectionError:
            pass
        made.close()
        sending.join(15)
    return back


def _send(made: socket.socket, raw: Raw) -> None:
    try:
        made.sendall(raw.sent)
        if raw.then_closes:
            made.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _is_whole(back: bytes) -> bool:
    head, ended, body = back.partition(b"\r\n\r\n")
    at = head.lower().find(b"content-length:")
    # one without a length goes on and on: its head is answer enough
    return bool(ended) and (at < 0 or len(body) >= int(head[at + 15 :].partition(b"\r\n")[0]))


def first_status(back: bytes) -> int:
    """0: it was closed without an answer; -1: it was left open without one."""
    return int(back[9:12]) if back.startswith(b"HTTP/1.") else -1 if back else _HANG_UP


def test_each_is_refused_exactly_and_only_its_own_connection_notices(up: Up, neighbour: Neighbour) -> None:
    raws = list(_raws(up.token().encode()))
    assert len(raws) >= 60
    wrong: list[str] = []
    before = 0.0
    for _ in range(2):
        for raw in raws:
            back = exchange(up.port, raw)
            status = first_status(back)
            # an unfinished request whose sender leaves may go without an answer
            if status not in raw.answers and not (status == _HANG_UP and raw.then_closes):
                wrong.append(f"{raw.name}: {status}, not one of {sorted(raw.answers)}: {back[:120]!r}")
            if not neighbour.is_served():
                wrong.append(f"{raw.name}: the neighbour is not served")
        # the first time brings what is made at first use
        before = before or rss_mib(up.process.pid)
    assert not wrong, "\n".join(wrong)
    assert rss_mib(up.process.pid) - before <= MAY_GROW_MIB


def test_hundreds_who_send_a_byte_now_and_then_keep_nobody_out(up: Up, neighbour: Neighbour) -> None:
    """The slow loris: connections that never finish their head cost a connection each, and nothing else."""
    head = b"POST /telemetry HTTP/1.1\r\nHost: h\r\nX: "
    slow = [socket.create_connection(("127.0.0.1", up.port), timeout=15) for _ in range(300)]
    try:
        for at in range(len(head)):
            for made in slow:
                made.sendall(head[at : at + 1])
            if at % 10 == 0:
                assert neighbour.is_served()
        with up.http(up.token()) as http:
            assert http.get("/api/v1/devices").status_code == 200
    finally:
        for made in slow:
            made.close()
    assert neighbour.is_served()


def test_who_leaves_in_the_middle_leaves_nothing_behind(up: Up, neighbour: Neighbour) -> None:
    """Reset instead of closed, in the middle of heads, bodies and answers: no descriptor stays open."""
    token = up.token().encode()
    whole = _post(b"Authorization: Bearer " + token, b"Content-Length: %d" % len(BODY), body=BODY)
    before = open_files(up.process.pid)
    for cut in range(0, len(whole) + 1, 3):
        made = socket.create_connection(("127.0.0.1", up.port), timeout=15)
        # with nothing lingering a close is a reset
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        made.sendall(whole[:cut])
        made.close()
    assert neighbour.is_served()
    until(lambda: open_files(up.process.pid) <= before + 5)
