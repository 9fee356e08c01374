"""What is under deploy/ fits the shop: names of series, of settings, of processes."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from django.conf import settings

from common import metrics
from config.metrics import figures

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
SERIES = re.compile(r"\bsouk_[a-z_]+\b")
SECRET = re.compile(r"(SECRET|KEY|PASSWORD|TOKEN|URL)$")
ENDINGS = ("_bucket", "_count", "_sum", "_total", "_created")


def objects(kind: str) -> list[Any]:
    found = [each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text())]
    return [each for each in found if each["kind"] == kind]


def pods() -> list[Any]:
    kinds = ("Deployment", "StatefulSet", "Job")
    return [each["spec"]["template"]["spec"] for kind in kinds for each in objects(kind)]


def services(*files: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in files:
        found |= yaml.safe_load((ROOT / name).read_text())["services"]
    return found


def variables() -> set[str]:
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.M))


def known_series() -> set[str]:
    """What the code has a name for, without asking a database."""
    own = {m.name for m in metrics.registry().collect() if m.name.startswith("souk_")}
    source = Path(figures.__file__).read_text()
    return own | {f"souk_{name}" for name in re.findall(r'_gauges?\(\s*"(\w+)"', source)}


def base(name: str) -> str:
    for ending in ENDINGS:
        if name.endswith(ending) and name.removesuffix(ending) in known_series():
            return name.removesuffix(ending)
    return name


@pytest.mark.parametrize("file", ["alerts.yml", "dashboard.json"])
def test_rules_and_dashboard_ask_for_series_that_there_are(file: str) -> None:
    asked = set(SERIES.findall((ROOT / "deploy" / "monitoring" / file).read_text()))
    assert len(asked) > 8
    assert {name for name in asked if base(name) not in known_series()} == set()


def test_every_gauge_is_on_the_dashboard() -> None:
    shown = (ROOT / "deploy" / "monitoring" / "dashboard.json").read_text()
    assert json.loads(shown)["panels"]
    assert {name for name in known_series() if name not in shown} == set()


def test_each_alert_is_explained() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "monitoring" / "alerts.yml").read_text())
    names = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    page = (ROOT / "docs" / "operations.md").read_text()
    assert len(names) > 10
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_settings_in_manifests_are_settings() -> None:
    named = {key for each in objects("ConfigMap") for key in each["data"]}
    for pod in pods():
        for container in pod["containers"]:
            named |= {each["name"] for each in container.get("env", [])}
    assert named - variables() == set()


def test_no_manifest_has_a_secret() -> None:
    assert objects("Secret") == []
    given = {key for each in objects("ConfigMap") for key in each["data"]}
    assert {key for key in given if SECRET.search(key)} == {"PUBLIC_URL", "STREAM_URL"}


def readers(secret: str) -> list[str]:
    """Containers that have it, as a whole or a key of it."""
    found = []
    for container in (each for pod in pods() for each in pod["containers"]):
        whole = [each.get("secretRef", {}).get("name") for each in container.get("envFrom", [])]
        keys = [
            each.get("valueFrom", {}).get("secretKeyRef", {}).get("name")
            for each in container.get("env", [])
        ]
        found += [container["name"]] * (secret in whole + keys)
    return found


def test_who_serves_requests_cannot_change_tables_or_send_coins() -> None:
    assert len(readers("souk-secrets")) > 5
    assert readers("souk-migration") == ["migrate"]
    assert len(readers("souk-hot-key")) == 1
    page = (ROOT / "docs" / "operations.md").read_text()
    shared = page.partition("generic souk-secrets")[2].partition("generic souk-migration")[0]
    assert "souk_app" in shared
    assert "souk_migration" not in shared


def test_wherever_a_secret_key_is_told_of_the_publishable_one_is() -> None:
    """Without it the pages offer no card."""
    page = (ROOT / "docs" / "operations.md").read_text()
    blocks = [block for block in page.split("```")[1::2] if "STRIPE_SECRET_KEY=" in block]
    assert len(blocks) > 2
    assert [block for block in blocks if "STRIPE_PUBLISHABLE_KEY=" not in block] == []


def test_pods_run_with_as_little_as_they_can() -> None:
    assert len(pods()) > 8
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_pods_that_stay_have_probes_and_time_to_end() -> None:
    for each in [*objects("Deployment"), *objects("StatefulSet")]:
        pod = each["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] >= 15, each["metadata"]["name"]
        for container in pod["containers"]:
            assert "livenessProbe" in container, container["name"]


def origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def environments() -> dict[str, dict[str, str]]:
    fly = tomllib.loads((ROOT / "deploy" / "fly" / "fly.toml").read_text())["env"]
    return {"fly": fly, **{m["metadata"]["name"]: m["data"] for m in objects("ConfigMap")}}


def test_pages_may_read_streams_that_another_origin_serves() -> None:
    apart = [
        env
        for env in environments().values()
        if origin(env["STREAM_URL"]) != origin(env["PUBLIC_URL"])
    ]
    assert apart
    for env in apart:
        assert env["PUBLIC_URL"] in env["CORS_ALLOWED_ORIGINS"].split(",")


def test_pictures_are_put_where_they_stay_or_nothing_promises_it() -> None:
    web = next(m for m in objects("Deployment") if m["metadata"]["name"] == "web")
    mounts = web["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert "/data/media" in {mount["mountPath"] for mount in mounts}
    assert "media:/data/media" in services("docker-compose.yml")["web-1"]["volumes"]
    fly = tomllib.loads((ROOT / "deploy" / "fly" / "fly.toml").read_text())
    mounted = {mount["destination"] for mount in fly.get("mounts", [])}
    # A volume is one machine's; a folder without one is forgotten.
    assert not (mounted and fly["services"][0]["min_machines_running"] > 1)
    assert fly["env"].get("MEDIA_ROOT") in {None, *mounted}


def queues_served(commands: list[str]) -> list[str]:
    return sorted(q for text in commands for q in re.findall(r"--queues=([\w,]+)", text))


def test_every_queue_has_its_worker_everywhere() -> None:
    words = [" ".join(c["command"]) for pod in pods() for c in pod["containers"]]
    assert queues_served(words) == sorted(settings.QUEUES)
    compose = [
        " ".join(map(str, s.get("command", []))) for s in services("docker-compose.yml").values()
    ]
    assert queues_served(compose) == sorted(settings.QUEUES)
    together = ",".join(settings.QUEUES)
    for file in ("docker-compose.small.yml", "deploy/fly/fly.toml", "deploy/heroku/heroku.yml"):
        assert f"--queues={together} " in (ROOT / file).read_text(), file


def test_containers_have_health_checks_limits_and_a_root_that_is_read_only() -> None:
    once = {"migrate", "database-users"}
    found = services("docker-compose.yml")
    assert len(found) > 12
    for name, service in found.items():
        if name in once:
            continue
        assert "healthcheck" in service, name
        assert "mem_limit" in service, name
        assert service.get("read_only") is True, name
        assert service["cap_drop"] == ["ALL"], name


def test_the_small_shape_changes_only_what_there_is() -> None:
    whole, small = services("docker-compose.yml"), services("docker-compose.small.yml")
    assert small.keys() - whole.keys() == set()


def test_the_small_shapes_limits_are_those_of_a_small_machine() -> None:
    small = services("docker-compose.small.yml")
    running = [s for s in small.values() if s.get("profiles") != ["never"]]
    sizes = [int(str(s["mem_limit"]).removesuffix("m")) for s in running]
    # The sandbox's and what the kernel wants are not in it: limits are above what is used.
    assert sum(sizes) < 1400


def test_nginx_leaves_a_connection_before_granian_does() -> None:
    """Granian ends one 30 s after its start, however busy it is."""
    text = (ROOT / "docker" / "nginx" / "upstreams.conf").read_text()
    times = [int(found) for found in re.findall(r"keepalive_time (\d+)s", text)]
    assert times
    assert max(times) < 30


def test_a_timer_of_the_machine_calls_the_backup_as_it_is() -> None:
    text = (ROOT / "deploy" / "vm" / "cloud-init.yaml").read_text()
    assert "deploy/backup.py dump --compose --keep" in text
    yaml.safe_load(text)


def listed_for_going_live() -> dict[str, str]:
    """What docs/operations.md puts into .env before anybody else can reach the shop."""
    page = (ROOT / "docs" / "operations.md").read_text()
    block = page.partition("Before anybody else can reach it")[2].split("```")[1]
    return dict(re.findall(r"^([A-Z_]+)=(\S*)", block, re.M))


def test_who_follows_the_list_starts_with_a_live_key() -> None:
    """Each default of docker compose that a live key refuses, and compose takes an empty value."""
    found = listed_for_going_live()
    assert found["STRIPE_SECRET_KEY"].startswith("sk_live_")
    assert (found["MOCK_CHAIN"], found["MARKET_SIMULATED"]) == ("0", "0")
    compose = (ROOT / "docker-compose.yml").read_text()
    for name in ("CHAIN_HOT_KEY", "EXCHANGE_VENUE_URL"):
        assert found[name] == ""
        assert f"${{{name}-" in compose
    public = set(re.findall(r"\$\{(\w+):-(?:try-out|whsec_try_out)", compose))
    assert public - found.keys() == set()


# Stands in for docker: says which image each container would have, and that all are healthy.
DOCKER = """#!/bin/sh
echo "${SOUK_TAG:-of .env}: $*" >> "$SAID"
case "$*" in
  "image inspect souk:missing") exit 1 ;;
  inspect*) echo healthy ;;
esac
"""


def rolled(folder: Path, *words: str) -> tuple[int, list[str]]:
    """The exit code of a rolling restart, and what docker was asked for."""
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    said = folder / "said"
    own = {"PATH": f"{folder}:{os.environ['PATH']}", "SAID": str(said)}
    script = ROOT / "deploy" / "vm" / "rolling-restart"
    ended = subprocess.run([script, *words], env=own, capture_output=True, check=False)
    return ended.returncode, said.read_text().splitlines()


def test_a_rolling_restart_brings_the_image_that_it_is_told(tmp_path: Path) -> None:
    assert services("docker-compose.yml")["web-1"]["image"] == "souk:${SOUK_TAG:-latest}"
    code, said = rolled(tmp_path, "2026-02-01")
    assert code == 0
    assert {line.partition(":")[0] for line in said} == {"2026-02-01"}
    raised = [line for line in said if "--force-recreate" in line]
    names = set(services("docker-compose.yml"))
    recreated = {word for line in raised for word in line.split() if word in names}
    assert {"web-1", "web-2", "stream", "beat", "worker-payments"} <= recreated


def test_an_image_that_is_not_there_is_not_built_from_what_lies_around(tmp_path: Path) -> None:
    code, said = rolled(tmp_path, "missing")
    assert (code, len(said)) == (1, 1)


def test_without_a_tag_it_is_that_of_the_environment_file(tmp_path: Path) -> None:
    code, said = rolled(tmp_path)
    assert code == 0
    assert {line.partition(":")[0] for line in said} == {"of .env"}
