"""Prometheus reads what is in `deploy/`, and alerts when it should."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import ROOT

DEPLOY = ROOT / "deploy"
CASES = ROOT / "tests" / "deploy" / "alerts.yml"


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


def test_the_dashboard_asks_in_its_language(tmp_path: Path) -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "a", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "rules.yml")
