"""Prometheus reads what is in `deploy/`, and alerts when it should."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import yaml

from conftest import ROOT, running
from fakes import fake_pipeline
from jobs.place import free_port
from web.support import audio, settings_of, wait_until

DEPLOY = ROOT / "deploy"
CASES = ROOT / "tests" / "deploy" / "alerts.yml"
TOKEN = "a token of our own"
ANSWERED = ("sum(echostream_live_sessions)", "sum(echostream_live_endings)")
"""What the dashboard asks and an API that has just begun can answer."""


def promtool(*arguments: str | Path) -> None:
    if shutil.which("promtool") is None:
        pytest.fail("there is no promtool; make test installs it", pytrace=False)
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration(tmp_path: Path) -> None:
    """As it lies in Prometheus's container, with the alerts beside it."""
    (tmp_path / "token").write_text("a token")
    config = (DEPLOY / "prometheus.yml").read_text().replace("/etc/prometheus", str(tmp_path))
    (tmp_path / "prometheus.yml").write_text(config)
    shutil.copy(DEPLOY / "alerts.yml", tmp_path)
    promtool("check", "config", tmp_path / "prometheus.yml")


def test_each_alert_is_raised_when_it_should_be_and_else_not(tmp_path: Path) -> None:
    cases = CASES.read_text()
    names = {
        rule["alert"]
        for rule in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
    }
    assert set(re.findall(r"EchoStream\w+", cases)) == names
    (tmp_path / "cases.yml").write_text(cases.replace("{alerts}", str(DEPLOY / "alerts.yml")))
    promtool("test", "rules", tmp_path / "cases.yml")


def asked_by_the_dashboard() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_the_dashboard_asks_in_its_language(tmp_path: Path) -> None:
    asked = asked_by_the_dashboard()
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "a", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "rules.yml")


@contextmanager
def prometheus(folder: Path, api: str) -> Iterator[httpx.Client]:
    """A client of a Prometheus with our configuration. The API is at `api`, and a worker nowhere:
    on this machine there are no names for DNS to find."""
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "200ms", "evaluation_interval": "200ms"}
    for job, port in zip(config["scrape_configs"], (api.rpartition(":")[2], "1"), strict=True):
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    text = yaml.safe_dump(config).replace("/etc/prometheus", str(folder))
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(DEPLOY / "alerts.yml", folder)
    address = f"127.0.0.1:{free_port()}"
    command = (
        *("prometheus", f"--config.file={folder / 'prometheus.yml'}"),
        *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"),
    )
    log = (folder / "log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            with httpx.Client(base_url=f"http://{address}/api/v1", trust_env=False) as client:
                wait_until(lambda: _answers(client), "Prometheus answers")
                yield client
        finally:
            process.terminate()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/status/buildinfo").is_success
    except httpx.TransportError:
        return False


def _asked(client: httpx.Client, path: str, **query: str) -> Any:
    answer = client.get(path, params=query).raise_for_status().json()
    assert answer["status"] == "success"
    return answer["data"]


def test_a_real_prometheus(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with (
        running(settings_of(api_bearer_token=TOKEN), fake_pipeline()) as api,
        prometheus(tmp_path, api) as client,
    ):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        httpx.post(f"{api}/upload-audio", files=audio(), headers=headers).raise_for_status()

        def targets() -> dict[str, str]:
            found = _asked(client, "/targets")["activeTargets"]
            return {each["labels"]["job"]: each["health"] for each in found}

        wanted = {"echostream-api": "up", "echostream-worker": "down"}
        wait_until(lambda: targets() == wanted, "the targets are known")

        def rules() -> list[dict[str, Any]]:
            return [rule for group in _asked(client, "/rules")["groups"] for rule in group["rules"]]

        wait_until(lambda: all(rule["health"] == "ok" for rule in rules()), "rules are evaluated")
        assert {rule["name"] for rule in rules()} == set(
            re.findall(r"alert: (\w+)", (DEPLOY / "alerts.yml").read_text())
        )

        def down() -> set[str]:
            [rule] = [rule for rule in rules() if rule["name"] == "EchoStreamDown"]
            return {each["labels"]["job"] for each in rule["alerts"]}

        wait_until(lambda: down() == {"echostream-worker"}, "the worker is missed")

        def uploads() -> float:
            query = 'sum(echostream_requests_total{route="/upload-audio",status="200"})'
            found = _asked(client, "/query", query=query)["result"]
            return float(found[0]["value"][1]) if found else 0.0

        wait_until(lambda: uploads() == 1, "the upload is counted")
        for query in asked_by_the_dashboard():
            _asked(client, "/query", query=query)  # raises if it cannot be answered
        assert set(ANSWERED) <= set(asked_by_the_dashboard())
        told = [_asked(client, "/query", query=each)["result"] for each in ANSWERED]
        assert all(told), told
