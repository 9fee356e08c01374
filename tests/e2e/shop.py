"""The embedded shop as a process of its own, and a customer's client of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

# Far beyond what it takes on a machine that is busy with other tests: what hangs ends all the same.
PATIENCE = 300


class Shop:
    """A running `python -m config.embedded`, and a customer's client of it."""

    def __init__(self, state: Path) -> None:
        self.port = free_port()
        self.access = ""
        self.environment = {"PATH": os.environ["PATH"], "SOUK_STATE_DIR": str(state)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.embedded", "--port", str(self.port)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._announced = threading.Event()
        # Read to the end: a shop whose pipe is full waits for a reader for ever.
        threading.Thread(target=self._read, daemon=True).start()
        if not self._announced.wait(PATIENCE) or self.process.poll() is not None:
            pytest.fail("it does not run: " + self.printed)

    @property
    def printed(self) -> str:
        return "".join(self._lines)

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.append(line)
            if "/products/lamp/" in line:
                self._announced.set()
        self._announced.set()

    def manage(self, *command: str, **environment: str) -> str:
        """What a command of `manage.py` prints."""
        found = {**self.environment, "PUBLIC_URL": f"http://127.0.0.1:{self.port}", **environment}
        argv = [sys.executable, "manage.py", *command]
        done = subprocess.run(argv, env=found, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{path}", method=method
        )
        if self.access:
            request.add_header("Authorization", f"Bearer {self.access}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read() or "null")

    def get(self, path: str) -> Any:
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def register(self, email: str) -> None:
        account = {"email": email, "password": "a-long-enough-passphrase"}
        self.access = self.call("POST", "auth/register/", account)[1]["access"]

    def sign_in(self, username: str, password: str) -> None:
        body = {"username": username, "password": password}
        status, pair = self.call("POST", "auth/token/", body)
        assert status == 200, pair
        self.access = pair["access"]

    def order(self, product: str) -> Any:
        body = {"lines": [{"product": product, "quantity": 1}], "payment": {"method": "stripe"}}
        status, order = self.call("POST", "orders/", body)
        assert status == 201, order
        return order

    def confirm(self, order: Any, card: str) -> int:
        path = f"payments/{order['payment']['id']}/confirm/"
        return self.call("POST", path, {"payment_method": card})[0]

    def available(self, product: str) -> int:
        return int(self.get(f"products/{product}/")["available"])

    def kill(self) -> None:
        """All of it at once; that Ctrl-C ends it is for `test_make_run.py` to show."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def interrupt(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(PATIENCE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
