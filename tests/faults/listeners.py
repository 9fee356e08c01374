"""Many listeners of one stream in a process of their own, which writes down what each one saw.

    python -m tests.faults.listeners PORT SLUG HOW_MANY

Prints `listening` when all have had their first event; ends when all have seen that none remain,
or at the end of its input, with a JSON object: the events by id and the moments they came at.
"""

import asyncio
import json
import sys
import time
from typing import Any


class Listener(asyncio.Protocol):
    """Reads the answer as it comes; parses no more of it than it needs."""

    def __init__(self, world: "World", number: int) -> None:
        self.world, self.number = world, number
        self.rest, self.last_id, self.left = b"", 0, -1

    def connection_made(self, transport: Any) -> None:
        path = f"/api/v1/flash-sales/{self.world.slug}/stream/"
        transport.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        now = time.time()
        *events, self.rest = (self.rest + data).split(b"\n\n")
        for event in events:
            start = event.find(b"\nid: ")
            if start >= 0:
                self._see(event[start + 1 :].split(b"\n"), now)

    def _see(self, lines: list[bytes], now: float) -> None:
        found = int(lines[0][4:])
        body = self.world.bodies.get(found)
        if body is None:
            body = self.world.bodies[found] = json.loads(lines[2][6:])
        self.world.came.setdefault(found, []).append(now)
        gone = body["allocation"] - body["remaining"]
        if found <= self.last_id or gone < self.left:
            self.world.stale += 1
        self.last_id, self.left = found, gone
        self.world.waiting.discard(self.number)
        if body["remaining"] == 0:
            self.world.done.add(self.number)


class World:
    def __init__(self, slug: str, count: int) -> None:
        self.slug, self.count = slug, count
        self.bodies: dict[int, Any] = {}
        self.came: dict[int, list[float]] = {}
        self.stale = 0
        self.waiting, self.done = set(range(count)), set[int]()

    def told(self) -> dict[str, Any]:
        events = [
            {"id": key, "sold": body["allocation"] - body["remaining"], "came": self.came[key]}
            for key, body in self.bodies.items()
        ]
        return {"stale": self.stale, "done": len(self.done), "events": events}


async def main(port: int, slug: str, count: int) -> None:
    loop, world = asyncio.get_running_loop(), World(slug, count)
    for first in range(0, count, 100):
        numbers = range(first, min(first + 100, count))
        made = (
            loop.create_connection(lambda n=n: Listener(world, n), "127.0.0.1", port)
            for n in numbers
        )
        await asyncio.gather(*made)
    while world.waiting:
        await asyncio.sleep(0.05)
    print("listening", flush=True)
    ended = loop.run_in_executor(None, sys.stdin.read)
    while len(world.done) < count and not ended.done():
        await asyncio.sleep(0.05)
    print(json.dumps(world.told()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
