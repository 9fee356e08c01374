"""Many listeners of one stream in a process of their own, which writes down what each one saw.

    python -m tests.faults.listeners PORT SLUG HOW_MANY

Prints `listening` when all have had their first event; ends when all have seen that none remain,
or at the end of its input, with a JSON object: the events by id and the moments they came at.
One loop over plain sockets: a library for each event would take more of the machine than what is
measured.
"""

import json
import select
import socket
import sys
import threading
import time
from typing import Any, NamedTuple


class Event(NamedTuple):
    """An event of the stream: its id and the units that are gone by then."""

    id: int
    gone: int
    remaining: int


class Listener:
    """Keeps what came of an event until the rest is there."""

    __slots__ = ("done", "last_id", "left", "link", "rest")

    def __init__(self, port: int, slug: str) -> None:
        self.rest, self.last_id, self.left, self.done = b"", 0, -1, False
        self.link = socket.create_connection(("127.0.0.1", port))
        path = f"/api/v1/flash-sales/{slug}/stream/"
        self.link.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())


class World:
    """All listeners, and what they have seen."""

    def __init__(self, port: int, slug: str, count: int) -> None:
        # Each event is read once: all listeners are sent the same bytes.
        self.read: dict[bytes, list[Event]] = {}
        self.came: dict[int, tuple[Event, list[float]]] = {}
        self.stale, self.done, self.waiting = 0, 0, count
        self.poll = select.epoll()
        self.listeners: dict[int, Listener] = {}
        for _ in range(count):
            listener = Listener(port, slug)
            self.listeners[listener.link.fileno()] = listener
            self.poll.register(listener.link, select.EPOLLIN)

    def hear(self, seconds: float) -> None:
        """What has come, or comes within so many seconds."""
        for number, _ in self.poll.poll(seconds):
            listener = self.listeners[number]
            data = listener.link.recv(65536)
            if not data:
                self.poll.unregister(number)
                continue
            data = listener.rest + data
            whole = data.rfind(b"\n\n") + 2
            listener.rest = b"" if whole == len(data) else data[whole:]
            now = time.time()
            for event in self._events(data[:whole]):
                self._see(listener, event, now)

    def _events(self, data: bytes) -> list[Event]:
        if (found := self.read.get(data)) is None:
            found = self.read[data] = [e for part in data.split(b"\n\n") for e in _event(part)]
        return found

    def _see(self, listener: Listener, event: Event, now: float) -> None:
        if event.id not in self.came:
            self.came[event.id] = (event, [])
        self.came[event.id][1].append(now)
        if event.id <= listener.last_id or event.gone < listener.left:
            self.stale += 1
        self.waiting -= listener.last_id == 0
        self.done += event.remaining == 0 and not listener.done
        listener.done = listener.done or event.remaining == 0
        listener.last_id, listener.left = event.id, event.gone

    def told(self) -> dict[str, Any]:
        events = [
            {"id": event.id, "sold": event.gone, "came": came} for event, came in self.came.values()
        ]
        return {"stale": self.stale, "done": self.done, "events": events}


def _event(part: bytes) -> list[Event]:
    lines = dict(line.split(b": ", 1) for line in part.splitlines() if b": " in line)
    if b"id" not in lines or b"data" not in lines:
        return []
    body = json.loads(lines[b"data"])
    remaining = body["remaining"]
    return [Event(int(lines[b"id"]), body["allocation"] - remaining, remaining)]


def main(port: int, slug: str, count: int) -> None:
    world, ended = World(port, slug, count), threading.Event()
    while world.waiting:
        world.hear(0.1)
    print("listening", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while world.done < count and not ended.is_set():
        world.hear(0.1)
    print(json.dumps(world.told()), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
