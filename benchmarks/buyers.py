"""Buyers in a process of their own, told by lines of JSON on stdin what to ask for and how long.

    {"port": …, "path": "/…/", "body": "{…}", "seconds": 4.0, "threads": 16, "tokens": […]}

Each thread is a buyer with a connection of his own and some of the tokens in turn. Answers with one
line: how often each status came, and every call's milliseconds.
"""

import json
import socket
import sys
import threading
import time
from collections import Counter
from typing import Any


def request(job: dict[str, Any], token: str) -> bytes:
    body = job["body"].encode()
    head = (
        f"POST {job['path']} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def answer(link: socket.socket) -> bytes:
    """One whole answer. Raises ConnectionError where the server hangs up."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _some(link)
    start = data.lower().find(b"content-length:", 0, end)
    length = int(data[start + 15 : data.find(b"\r\n", start)])
    while len(data) < end + 4 + length:
        data += _some(link)
    return data


def _some(link: socket.socket) -> bytes:
    part = link.recv(65536)
    if not part:
        raise ConnectionError("the server hung up")
    return part


def buy(job: dict[str, Any], tokens: list[str], ends: float, out: list[Any]) -> None:
    calls = [request(job, token) for token in tokens]
    statuses: Counter[str] = Counter()
    times: list[float] = []
    link = socket.create_connection(("127.0.0.1", job["port"]))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    turn = 0
    while (started := time.perf_counter()) < ends:
        link.sendall(calls[turn % len(calls)])
        data = answer(link)
        times.append(round((time.perf_counter() - started) * 1000, 3))
        statuses[data[9:12].decode()] += 1
        turn += 1
    link.close()
    out.append((statuses, times))


def rush(job: dict[str, Any]) -> dict[str, Any]:
    out: list[Any] = []
    ends = time.perf_counter() + job["seconds"]
    shares = [job["tokens"][n :: job["threads"]] for n in range(job["threads"])]
    crowd = [threading.Thread(target=buy, args=(job, share, ends, out)) for share in shares]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    total: Counter[str] = Counter()
    for statuses, _ in out:
        total += statuses
    return {"statuses": total, "times": [ms for _, times in out for ms in times]}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(rush(json.loads(line))), flush=True)
