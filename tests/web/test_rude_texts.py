"""While somebody asks for insights of rude texts, others are served."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx2 as httpx
import pytest

from conftest import running
from echostream.insights import ExtractiveInsights, OfflineAnswers
from echostream.options import MOST_CHARS
from fakes import FakeTranscriber, fake_pipeline
from insights.offline.rude_texts import TEXTS, long
from web.probe import probing
from web.support import error_of, settings_of


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    make_pipeline = fake_pipeline(FakeTranscriber(), OfflineAnswers(ExtractiveInsights()))
    with running(settings_of(), make_pipeline) as base_url:
        yield base_url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=120) as found:
        yield found


def test_nobody_waits_for_rude_texts(client: httpx.Client, url: str) -> None:
    def ask(name: str) -> int:
        text = long(name, 8_000)
        answer = client.post("/insights", json={"transcript": text})
        assert len(answer.content) < 1_000_000
        return answer.status_code

    with probing(url), ThreadPoolExecutor(4) as several:
        statuses = dict(zip(TEXTS, several.map(ask, TEXTS), strict=True))
    assert {name: status for name, status in statuses.items() if status != 200} == {}


@pytest.mark.parametrize("name", ["dots", "short words", "one word", "empty lines", "Chinese"])
def test_nobody_waits_for_the_longest_text(client: httpx.Client, url: str, name: str) -> None:
    body = json.dumps({"transcript": long(name, 5_000_000)}, ensure_ascii=False)
    with probing(url), suppress(httpx.ReadTimeout):
        client.post("/insights", content=body, timeout=3)


@pytest.mark.parametrize(
    "body",
    [
        {"transcript": "a" * (MOST_CHARS + 1)},
        {"segments": [{"id": number, "text": "a" * 200} for number in range(40_001)]},
    ],
    ids=["transcript", "segments"],
)
def test_a_text_that_is_too_long_is_refused(client: httpx.Client, body: object) -> None:
    response = client.post("/insights", json=body)
    assert error_of(response) == (422, "invalid_request")
