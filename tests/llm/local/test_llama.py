"""Real llama.cpp, on a model that knows nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from echostream.insights.wire import WireInsights, shape_for
from echostream.llm.answers import bounded_schema_of, read_answer
from echostream.llm.base import Answer, InsightsError, ProviderUnavailable, TooLong
from echostream.llm.calls import Message
from echostream.llm.local.llama import Llama
from echostream.llm.local.wire import Chat, Ended
from echostream.templates import BUILT_IN
from insights.test_injection import ORDERS
from llm.local.tiny_gguf import TRAINED_TOKENS, write_tiny


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    folder = tmp_path_factory.mktemp("llama")
    llama = Llama(write_tiny(folder / "tiny.gguf"), TRAINED_TOKENS, folder)
    yield llama
    llama.close()


def said(llama: Llama, asked: Chat) -> tuple[str, Ended]:
    pieces: list[str] = []

    def tell(piece: str) -> bool:
        pieces.append(piece)
        return False

    ended = llama.chat(asked, tell)
    return "".join(pieces), ended


def chat(data: str, shape: type[Answer] | None, most_tokens: int = 3_000) -> Chat:
    schema = None if shape is None else bounded_schema_of(shape)
    return Chat([Message("system", "You sum up."), Message("user", data)], schema, most_tokens)


@pytest.mark.parametrize("template", ["general", "meeting"])
def test_an_answer_has_its_shape(llama: Llama, template: str) -> None:
    shape = shape_for(BUILT_IN[template])
    for number in range(3):
        text, ended = said(llama, chat(f"We ship in {number} days.", shape))
        assert not ended.is_cut
        read_answer(text, shape)
        assert ended.sent > 20
        assert ended.written > 50


@pytest.mark.parametrize("order", [each for each in ORDERS.values() if each.isascii()])
def test_orders_in_a_recording_do_not_change_the_shape(llama: Llama, order: str) -> None:
    text, ended = said(llama, chat(f"<transcript>\n[0] {order}\n</transcript>", WireInsights))
    assert not ended.is_cut
    assert json.loads(text).keys() == WireInsights.model_fields.keys()


def test_a_text(llama: Llama) -> None:
    text, ended = said(llama, chat("Hello.", None, most_tokens=10))
    assert ended.is_cut == (ended.written == 10)
    assert len(text) <= 10


def test_the_same_beginning_is_read_once(llama: Llama) -> None:
    """Otherwise every part of a transcript would start with a minute for our instructions."""
    counts: list[int] = []

    def count(_piece: str) -> bool:
        counts[-1] += 1
        return False

    for end in ("one", "two"):
        counts.append(0)
        llama.chat(chat("All of this was said before. " * 60 + end, None, most_tokens=1), count)
    assert counts[1] < counts[0] / 2


def test_it_stops_while_it_writes(llama: Llama) -> None:
    pieces: list[str] = []

    def tell(piece: str) -> bool:
        pieces.append(piece)
        return len(pieces) == 5

    assert llama.chat(chat("Go on.", WireInsights), tell).is_cut
    assert len(pieces) == 5


def test_it_stops_while_it_reads(llama: Llama) -> None:
    calls: list[str] = []

    def tell(piece: str) -> bool:
        calls.append(piece)
        return True

    assert llama.chat(chat("Much was said. " * 100, None), tell) == Ended(True, 0, 0)
    assert calls == [""]


def test_a_prompt_that_does_not_fit(llama: Llama) -> None:
    with pytest.raises(TooLong, match="does not fit"):
        said(llama, chat("Far too much was said. " * 1_000, None))


def test_a_schema_that_it_does_not_know(llama: Llama) -> None:
    asked = Chat([Message("user", "Hello.")], {"type": "nonsense"}, 10)
    with pytest.raises(InsightsError, match="refused the call") as caught:
        said(llama, asked)
    assert "nonsense" not in str(caught.value)


def listening() -> set[str]:
    """The sockets of this process to which other programs can connect by a port."""
    own = {
        target.removeprefix("socket:[").rstrip("]")
        for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink() and (target := str(link.readlink())).startswith("socket:[")
    }
    tables = [Path(f"/proc/self/net/{name}").read_text().splitlines() for name in ("tcp", "tcp6")]
    rows = [row.split() for table in tables for row in table[1:]]
    return own & {row[9] for row in rows if row[3] == "0A"}


def test_no_port_is_opened(tmp_path: Path) -> None:
    """llama.cpp brings a server, which any web page could call on a port of this machine."""
    before = listening()
    llama = Llama(write_tiny(tmp_path / "tiny.gguf"), TRAINED_TOKENS, tmp_path)
    said(llama, chat("Hello.", None, 1))
    assert listening() == before
    llama.close()


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ProviderUnavailable, match="cannot load the model"):
        Llama(file, 512, tmp_path)


def test_a_model_larger_than_the_memory(tmp_path: Path) -> None:
    with (tmp_path / "huge.gguf").open("wb") as file:
        file.truncate(10**13)
    with pytest.raises(ProviderUnavailable, match=r"needs more than 10000\.0 GB of memory"):
        Llama(tmp_path / "huge.gguf", 512, tmp_path)
