"""The same list and the same purchase by django-oscar with its REST API, on the same MySQL."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.load import Ratio, Scenario, Way, request
from benchmarks.scenarios.common import gets, posts
from benchmarks.shape import ROOT, Shape, free_port, say, wait_for

FOLDER: Final = ROOT / "benchmarks" / "oscar"
VENV: Final = ROOT / ".cache" / "oscar"
PRODUCTS, CUSTOMERS = 20, 256
# One thread a process: with more, its stock goes wrong and half of its answers are errors.
THREADS: Final = os.environ.get("OSCAR_THREADS", "1")
LIST, OSCAR_LIST = "list of 20, a customer", "Oscar: 20 without prices, a customer"
SEEN, OSCAR_SEEN = "list of 20, a visitor", "Oscar: 20 without prices, a visitor"
PATH, OSCAR_PATH = "/api/v1/products/?page_size=20", "/api/products/?limit=20"
ORDER, OSCAR_ORDER = "order by wallet, one product", "Oscar: order, one product, no payment"


def installed() -> Path:
    """Oscar's own Python; its packages are installed once."""
    python = VENV / "bin" / "python"
    if not (VENV / "installed").exists():
        say("installing django-oscar into an environment of its own (once)")
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        wanted = ["install", "-q", "-r", str(FOLDER / "requirements.txt")]
        subprocess.run([str(python), "-m", "pip", *wanted], check=True)
        (VENV / "installed").touch()
    return python


def oscar(shape: Shape) -> tuple[tuple[int, int], dict[str, Any]]:
    """Port and process of an Oscar shop, and what `fill.py` has put into it."""
    python, url = installed(), urlsplit(shape.mysql.url)
    _database(shape)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.oscar.settings",
        "OSCAR_HOST": str(url.hostname),
        "OSCAR_PORT": str(url.port),
        "OSCAR_USER": str(url.username),
        "OSCAR_PASSWORD": str(url.password),
    }
    run: dict[str, Any] = {"cwd": ROOT, "env": environment, "check": True}
    subprocess.run([str(python), "-W", "ignore", "-m", "django", "migrate", "-v0"], **run)
    fill = [str(python), "-W", "ignore", str(FOLDER / "fill.py"), str(PRODUCTS), str(CUSTOMERS)]
    filled = subprocess.run(fill, stdout=subprocess.PIPE, **run).stdout
    port = free_port()
    words = (
        f"-m granian --interface wsgi --host 127.0.0.1 --workers 2 --blocking-threads {THREADS} "
        f"--backpressure 128 --port {port} --factory django.core.wsgi:get_wsgi_application"
    )
    web = shape.start("oscar", [str(python), *words.split()], env=environment)
    wait_for(port, shape.folder / "oscar.log", "/api/products/?limit=1")
    return (port, web.pid), json.loads(filled)


def _database(shape: Shape) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE oscar CHARACTER SET utf8mb4")


def _buys(token: str, product: int) -> list[str]:
    """A basket with one unit, and its checkout; its number is carried from one to the other."""
    at = "http://127.0.0.1/api"
    basket = {"url": f"{at}/products/{product}/", "quantity": 1}
    checkout = {"basket": f"{at}/baskets/0000000000/"}
    return [
        request("POST", "/api/basket/add-product/", basket, token=token),
        request("POST", "/api/checkout/", checkout, token=token),
    ]


def _prepare(shape: Shape) -> Sequence[Way]:
    from benchmarks.shop import world

    server, filled = oscar(shape)
    world.products(PRODUCTS)
    world.stocked(["thing-0"], 10_000_000)
    tokens = world.customers(CUSTOMERS)
    body = {"lines": [{"product": "thing-0", "quantity": 1}], "payment": {"method": "wallet"}}
    return [
        Way(name=SEEN, calls=lambda _: [[request("GET", PATH)]] * 64),
        Way(
            name=OSCAR_SEEN,
            calls=lambda _: [[request("GET", OSCAR_PATH)]] * 64,
            server=server,
        ),
        Way(name=LIST, calls=lambda _: gets(PATH, tokens[:64])),
        Way(
            name=OSCAR_LIST,
            calls=lambda _: gets(OSCAR_PATH, filled["tokens"][:64]),
            server=server,
        ),
        Way(name=ORDER, calls=lambda _: posts("/api/v1/orders/", body, tokens), good=201),
        Way(
            name=OSCAR_ORDER,
            calls=lambda _: [_buys(token, filled["product"]) for token in filled["tokens"]],
            carry=r'"id":(\d+),"owner"',
            server=server,
        ),
    ]


SCENARIOS = {
    "oscar": Scenario(
        about="Beside django-oscar 4.2.1 with django-oscar-api 3.3.0: one hot product, one line.",
        prepare=_prepare,
        ratios=(
            Ratio(name="list of 20, a visitor", above=SEEN, below=OSCAR_SEEN, target=10),
            Ratio(name="list of 20, a customer", above=LIST, below=OSCAR_LIST, target=10),
            Ratio(name="order", above=ORDER, below=OSCAR_ORDER, target=20),
            Ratio(
                name="processor time of an order",
                above=ORDER,
                below=OSCAR_ORDER,
                target=0.05,
                most=True,
                figure="cpu_ms",
            ),
        ),
    ),
}
