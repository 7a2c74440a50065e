"""Requests made up from the API's own OpenAPI document: no 500, and no answer it does not list."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from echostream.web.app import create_app
from web.support import assert_nothing_private, metric, serving, settings_of, wav

Site = Callable[[str], str]

# A 503 or a 502 can be the right answer, so `not_a_server_error` is not among them.
CHECKS = (content_type_conformance, response_schema_conformance, status_code_conformance)


@pytest.fixture(scope="module")
def server() -> Iterator[httpx.Client]:
    with serving(max_upload_mb=1, allow_private_urls=True) as client:
        yield client
        for path in ("/upload-audio", "/api/finalize", "/v1/audio/transcriptions"):
            labels = {"route": path, "status": "200"}
            assert metric(client, "echostream_requests_total", **labels), f"{path} never got far"


schema = schemathesis.openapi.from_dict(create_app(settings_of()).openapi())


# Not by schemathesis' own `parametrize`, whose tests all have one name: run in several processes,
# all but one of them would be passed over.
OPERATIONS = [found.ok() for found in schema.get_all_operations()]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_made_up_requests(operation: Any, server: httpx.Client, site: Site) -> None:
    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy())
    def check(case: schemathesis.Case) -> None:
        keep_on_loopback(case, site)
        give_real_audio(case)
        response = case.call(base_url=str(server.base_url))
        assert response.status_code != 500
        assert_nothing_private(response.text)
        case.validate_response(response, checks=CHECKS)

    check()


def keep_on_loopback(case: schemathesis.Case, site: Site) -> None:
    """URLs of any host but ours are replaced, since to fetch them would need the network."""
    if isinstance(case.body, dict) and "://" in str(case.body.get("audioUrl", "")):
        case.body["audioUrl"] = site("/talk.wav")


def give_real_audio(case: schemathesis.Case) -> None:
    """In about every other case, since made-up bytes never get past ffmpeg."""
    for field in ("audio", "file"):
        if isinstance(case.body, dict) and field in case.body and len(case.body) % 2:
            case.body[field] = wav(0.1)
