"""The sandbox as a process: it listens, it ends on SIGTERM, its file remembers."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import stripe

from payments.sandbox.stripe import StripeSandbox
from tests.contracts.stripe_fixtures import client_of, intent_params, pay, refund_of

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def process(path, *options):
    command = [sys.executable, "-m", "payments.sandbox.stripe", "--port", "0", "--db", str(path)]
    started = subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        yield started, re.search(r"http://\S+", started.stdout.readline())[0]
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


def test_a_restart_keeps_objects_and_keys(tmp_path):
    path, key = tmp_path / "stripe.sqlite3", {"idempotency_key": "once"}
    params = intent_params(payment_method="pm_card_visa", confirm=True)
    with StripeSandbox(path) as stand_in:
        first = client_of(stand_in).v1.payment_intents.create(params, key)
    with StripeSandbox(path) as stand_in:
        client = client_of(stand_in)
        assert client.v1.payment_intents.create(params, key).id == first.id
        assert client.v1.payment_intents.retrieve(first.id).status == "succeeded"
        refund_of(client, first, amount=400)
    with StripeSandbox(path) as stand_in, pytest.raises(stripe.InvalidRequestError):
        refund_of(client_of(stand_in), first, amount=601)


def test_the_process_says_where_it_listens_and_ends_on_sigterm(tmp_path):
    with process(tmp_path / "s.sqlite3", "--webhook-secret", "whsec_x") as (started, url):
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        assert pay(stripe.StripeClient("sk_test_cli", base_addresses={"api": url})).status
        started.send_signal(signal.SIGTERM)
        assert started.wait(120) == 0


def test_stopping_lets_a_running_call_finish(tmp_path):
    path = tmp_path / "s.sqlite3"
    stand_in = StripeSandbox(path).start()
    stand_in.fault("http", "delay", seconds=0.5)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(pay, client_of(stand_in))
        time.sleep(0.2)
        stand_in.stop()
        stand_in.stop()
        assert running.result().status == "succeeded"


def test_killed_in_the_middle_the_file_is_whole(tmp_path):
    path = tmp_path / "s.sqlite3"
    with process(path) as (started, url):
        pay(stripe.StripeClient("sk_test_cli", base_addresses={"api": url}))
        started.send_signal(signal.SIGKILL)
        started.wait()
    with StripeSandbox(path) as stand_in:
        assert [charge["status"] for charge in stand_in.charges()] == ["succeeded"]
        assert len(stand_in.take_events()) == 3


def test_two_processes_on_one_file_share_keys(tmp_path):
    path = tmp_path / "s.sqlite3"
    params = intent_params(payment_method="pm_card_visa", confirm=True)
    with StripeSandbox(path) as one, StripeSandbox(path) as two:
        ids = {
            client_of(s).v1.payment_intents.create(params, {"idempotency_key": "k"}).id
            for s in (one, two)
        }
        assert (len(ids), len(two.charges())) == (1, 1)


def test_the_sandbox_imports_nothing_of_the_project_and_no_django(tmp_path):
    code = (
        "import sys, payments.sandbox.stripe.__main__\n"
        "ours = [m for m in sys.modules if m.split('.')[0] in"
        " ('django', 'shop', 'common', 'accounts', 'dashboards', 'config')"
        " or m.startswith('payments.') and not m.startswith('payments.sandbox')]\n"
        "print(ours)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
