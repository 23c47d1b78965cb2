"""Asks a server one question over its own protocol, to see that it answers and not only that it listens."""

import socket


def ask(port: int, question: bytes, *, enough: int, timeout_s: float = 2.0) -> bytes:
    """The first `enough` or more bytes of the answer on loopback; fewer when the server said less or nothing."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.sendall(question)
            while len(answer) < enough and (more := connection.recv(65_536)):
                answer += more
    except OSError:
        pass
    return answer
