"""What deploys EchoStream names settings, metrics and packages that there are."""

import json
import re
import runpy
import sys
from importlib.metadata import packages_distributions
from itertools import pairwise
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from conftest import ROOT
from echostream.settings import Settings
from echostream.worker.metrics import WorkerMetrics
from echostream_ui.settings import FrontendSettings
from imports import third_party
from web.support import serving, settings_of

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
RENDER = yaml.safe_load((ROOT / "render.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = ("api", "api-more", "worker", "frontend", "llm")
API_SETTINGS = {name.upper() for name in Settings.model_fields}
UI_SETTINGS = {name.upper() for name in FrontendSettings.model_fields}
OF_LIBRARIES = re.compile(r"AWS_[A-Z_]+|HF_[A-Z_]+|TMPDIR")
# What a container has for itself: its port, and the place where its files lie.
CONTAINERS_OWN = {"PORT", "HOST", "WORKER_METRICS_PORT"}
FRONTENDS_OWN = {"FRONTEND_PORT", "FRONTEND_HOST", "LIBRARY_PATH"}


def test_env_example_is_up_to_date() -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["env_example"]()
    assert (ROOT / ".env.example").read_text() == made


def test_env_example_has_every_setting_once_with_a_sentence() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    names = [line[1:].partition("=")[0] for line in lines if re.match(r"#[A-Z_]+=", line)]
    assert len(names) == len(set(names))
    assert set(names) >= API_SETTINGS | UI_SETTINGS
    for before, line in pairwise(lines):
        if re.match(r"#[A-Z_]+=", line):
            assert before.startswith("# "), line


@pytest.mark.parametrize("service", ["api", "api-more", "worker", "llm"])
def test_compose_passes_every_setting_on(service: str) -> None:
    named = set(SERVICES[service]["environment"])
    assert API_SETTINGS - CONTAINERS_OWN - named == set()
    assert {name for name in named - API_SETTINGS if not OF_LIBRARIES.fullmatch(name)} == set()


def test_compose_passes_every_setting_of_the_frontend_on() -> None:
    named = set(SERVICES["frontend"]["environment"])
    assert named - {"TMPDIR"} == UI_SETTINGS - FRONTENDS_OWN


def test_compose_interpolates_what_env_example_explains() -> None:
    explained = (ROOT / ".env.example").read_text()
    for name in re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()):
        assert f"\n#{name}=" in explained, name


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_has_more_than_it_needs(service: str) -> None:
    is_set = SERVICES[service]
    assert is_set["read_only"]
    assert is_set["cap_drop"] == ["ALL"]
    assert is_set["restart"] == ("no" if service == "llm" else "unless-stopped")  # fetches and ends
    assert is_set["logging"]["options"]["max-size"]
    assert service in OURS or is_set["user"] not in ("root", "0")
    for port in is_set.get("ports", []):
        assert port.startswith("${PUBLISH:-127.0.0.1}:")


def test_what_is_published() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {
        "api",
        "frontend",
        "balancer",
    }
    assert SERVICES["redis"]["networks"] == ["data"]
    assert COMPOSE["networks"]["data"]["internal"]


def test_the_api_alone_pulls_nothing_along() -> None:
    assert "depends_on" not in SERVICES["api"]


def test_containers_have_time_to_stop() -> None:
    default = re.search(r":-(\d+)s", SERVICES["worker"]["stop_grace_period"])
    assert default is not None
    assert int(default[1]) >= Settings.model_fields["shutdown_grace_s"].default + 15


def test_volumes_are_named() -> None:
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith("./")
    }
    assert used == set(COMPOSE["volumes"])


def test_targets_of_the_dockerfile() -> None:
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    assert len(stages) == DOCKERFILE.count("FROM ")  # none without a name
    assert stages[-1][1] == "api"
    for service in OURS:
        assert SERVICES[service]["build"]["target"] in dict(map(reversed, stages))


def test_nothing_in_the_images_runs_as_root() -> None:
    for target in ("engine", "frontend"):
        stage = re.search(rf"^FROM \S+ AS {target}$(.*?)(?=^FROM|\Z)", DOCKERFILE, re.M | re.S)
        assert stage is not None
        assert re.findall(r"^USER (.+)$", stage[1], re.M) == ["10001:10001"]
    assert not re.search(r"^USER (root|0)", DOCKERFILE, re.M)


def test_images_take_no_tests_and_no_secrets_along() -> None:
    assert "requirements-dev" not in DOCKERFILE
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M):
        assert all((ROOT / each).exists() for each in copied.split())
        assert ".env" not in copied


def test_the_frontends_image_has_what_the_frontend_imports() -> None:
    """Its lock has nothing of other extras: `test_extras.py` sees to that."""
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements-ui.lock").read_text(), re.M))
    imported = third_party(sorted((ROOT / "src" / "echostream_ui").rglob("*.py")))
    assert {"streamlit", "imageio_ffmpeg", "socketio"} <= imported
    brought_by = packages_distributions()
    for name in imported - sys.stdlib_module_names - {"echostream_ui"}:
        owners = {owner.lower().replace("_", "-") for owner in brought_by[name]}
        assert owners & locked, name


@pytest.mark.parametrize(
    ("stage", "lock"),
    [("dependencies", "requirements.lock"), ("frontend-dependencies", "requirements-ui.lock")],
)
def test_an_image_installs_what_it_needs(stage: str, lock: str) -> None:
    steps = re.search(rf"^FROM build AS {stage}$(.*?)(?=^FROM)", DOCKERFILE, re.M | re.S)
    assert steps is not None
    assert re.findall(r"requirements\S*\.lock", steps[1]) == [lock, lock]  # copied, and installed
    assert "uninstall" not in DOCKERFILE


def test_programs_run_nothing_of_the_folder_they_start_in() -> None:
    """With -m alone Python looks for modules there first, and in an image that is the volume."""
    commands = [
        *(json.loads(command) for command in re.findall(r"^CMD (.+)$", DOCKERFILE, re.M)),
        *(service.get("startCommand", "").split() for service in RENDER["services"]),
    ]
    with_modules = [command for command in commands if "-m" in command]
    assert len(with_modules) == 2
    assert all("-P" in command for command in with_modules)


def test_render_names_settings_that_there_are() -> None:
    groups = {group["name"]: group["envVars"] for group in RENDER["envVarGroups"]}
    other = {"API_HOSTPORT", "PYTHON_VERSION"}  # of the blueprint itself, and of Render
    for service in RENDER["services"]:
        for variable in service.get("envVars", []):
            if "fromGroup" in variable:
                assert variable["fromGroup"] in groups
            elif (key := variable["key"]) not in other:
                assert key in API_SETTINGS | UI_SETTINGS
    for variable in groups["echostream"]:
        assert variable["key"] in API_SETTINGS or OF_LIBRARIES.fullmatch(variable["key"])


def test_render_refers_to_services_that_there_are() -> None:
    services = {service["name"]: service for service in RENDER["services"]}
    redis = services["echostream-redis"]
    assert (redis["type"], redis["maxmemoryPolicy"]) == ("keyvalue", "noeviction")
    for service in services.values():
        for variable in service.get("envVars", []):
            if source := variable.get("fromService"):
                assert services[source["name"]]["type"] == source["type"]


def metrics_that_there_are() -> set[str]:
    """Names of the samples that an API with a queue and a worker show."""
    text = generate_latest(WorkerMetrics(settings_of())._registry).decode()
    with serving() as client:
        text += client.get("/metrics").text
    names = set()
    for name, kind in re.findall(r"^# TYPE (echostream_\w+) (\w+)$", text, re.MULTILINE):
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {name + end for end in ends}
    return names


def test_the_dashboard_and_the_alerts_ask_for_metrics_that_there_are() -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"echostream_\w+", target["expr"])
    }
    assert len(asked) > 12
    asked |= set(re.findall(r"echostream_\w+", (ROOT / "deploy" / "alerts.yml").read_text()))
    assert asked - metrics_that_there_are() == set()


def test_prometheus_looks_where_metrics_are() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())
    places = {
        (config["names"][0], config["port"])
        for job in config["scrape_configs"]
        for config in job["dns_sd_configs"]
    }
    assert places == {("api-hosts", 3000), ("worker", 9100)}
    assert SERVICES["api"]["networks"]["default"]["aliases"] == ["api-hosts"]
    assert "WORKER_METRICS_PORT=9100" in DOCKERFILE
