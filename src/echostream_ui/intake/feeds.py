"""Feeds of podcasts (RSS and Atom) from strangers: read with limits, never trusted.

expat itself loads nothing from elsewhere. Here it also refuses a document that defines entities,
which no feed needs and which could grow to any size, and elements that are nested without an end.
"""

import asyncio
import mimetypes
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit
from xml.parsers import expat

from echostream.errors import AudioTooLarge, EchoStreamError, InvalidAudio
from echostream.media.fetch import fetch
from echostream.net import Network

_MOST_BYTES = 20 * 1024 * 1024
_MOST_EPISODES = 5000
_DEEPEST = 50
_LONGEST_TEXT = 1000
_TIMEOUT_S = 30.0
_LOOK_S = 10.0
_BEFORE_ROOT = re.compile(
    rb"\A(\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^<\[]*(\[.*?\]\s*)?>)*", re.DOTALL
)
_BLOCK_BYTES = 1024 * 1024
_HEARD = ("audio", "video")
_SEPARATOR = " "

_ATOM = "http://www.w3.org/2005/Atom"
_ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
_MEDIA = "http://search.yahoo.com/mrss/"
_ROOTS = {"rss", f"{_ATOM} feed", "http://www.w3.org/1999/02/22-rdf-syntax-ns# RDF"}
_EPISODES = {"item", f"{_ATOM} entry", "http://purl.org/rss/1.0/ item"}
_FIELDS = {
    "title": "title",
    f"{_ATOM} title": "title",
    "http://purl.org/rss/1.0/ title": "title",
    "pubDate": "date",
    f"{_ATOM} published": "date",
    f"{_ATOM} updated": "changed",
    "http://purl.org/dc/elements/1.1/ date": "date",
    f"{_ITUNES} duration": "duration",
}


class FeedError(EchoStreamError):
    """The feed cannot be read. The message is a sentence for the user."""

    code = "invalid_feed"
    status = 422


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode with audio or video at `url`."""

    title: str
    url: str
    published_at: datetime | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """A podcast and its episodes, in the order of the feed: the newest first, as a rule."""

    title: str
    episodes: tuple[Episode, ...]


async def read_feed(
    url: str, *, allow_private: bool = False, network: Network | None = None
) -> Feed:
    """Returns the feed at an address. Raises UrlNotAllowed and UrlFetchFailed as `fetch` does, and
    FeedError if what is there is no feed, is larger than 20 MiB, or has no episodes to hear."""
    try:
        file = await fetch(
            url,
            max_bytes=_MOST_BYTES,
            timeout_s=_TIMEOUT_S,
            allow_private=allow_private,
            network=network,
        )
    except AudioTooLarge as error:
        raise FeedError(f"The feed is larger than {_MOST_BYTES // 1024**2} MiB.") from error
    except InvalidAudio as error:
        raise FeedError(
            "The address leads to a web page, not to a feed. Look there for a link named RSS or"
            " Feed."
        ) from error
    with file:
        return await asyncio.to_thread(parse, file, url)


async def feeds_among(
    urls: Sequence[str], *, allow_private: bool = False, network: Network | None = None
) -> dict[str, Feed | FeedError]:
    """Returns those of the addresses that lead to feeds, with what is there or why it cannot be
    read. An address that cannot be reached from here is not among them: the API may reach it."""
    looks = [_look(url, allow_private, network) for url in dict.fromkeys(urls)]
    return {url: found for url, found in await asyncio.gather(*looks) if found is not None}


async def _look(
    url: str, allow_private: bool, network: Network | None
) -> tuple[str, Feed | FeedError | None]:
    """Ends with the first bytes of what is no feed, and asks for nothing if the name says it."""
    guessed, _ = mimetypes.guess_type(urlsplit(url).path)
    if guessed is not None and guessed.startswith(("audio/", "video/")):
        return url, None
    try:
        file = await fetch(
            url,
            max_bytes=_MOST_BYTES,
            timeout_s=_LOOK_S,
            allow_private=allow_private,
            network=network,
            is_wanted=looks_like_feed,
        )
    except EchoStreamError:
        return url, None
    with file:
        try:
            return url, await asyncio.to_thread(parse, file, url)
        except FeedError as error:
            return url, error


def looks_like_feed(head: bytes) -> bool:
    """Whether a file that begins so is RSS or Atom, in whatever encoding."""
    text = head.replace(b"\0", b"")  # UTF-16
    text = text.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    text = _BEFORE_ROOT.sub(b"", text)
    return re.match(rb"<([\w.-]+:)?(rss|feed|RDF)[\s>]", text) is not None


def parse(file: BinaryIO, url: str) -> Feed:
    """Returns the feed in a file that came from `url`. Raises FeedError."""
    reading = _Reading(url)
    try:
        while block := file.read(_BLOCK_BYTES):
            reading.parser.Parse(block, False)
        reading.parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise FeedError(f"The feed is damaged: {error}.") from error
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise FeedError("The feed is written in an unknown encoding.") from error
    if not reading.episodes:
        raise FeedError("The feed has no episodes with audio or video.")
    return Feed(reading.title or url, tuple(reading.episodes))


class _Reading:
    """What is known of a feed while it is parsed."""

    def __init__(self, url: str) -> None:
        self.title = ""
        self.episodes: list[Episode] = []
        self._url = url
        self._open: list[str] = []
        self._texts: dict[str, str] | None = None
        self._files: list[str] = []
        self._field: str | None = None
        self.parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self.parser.buffer_text = True
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _refuse(self, *_entity: object) -> None:
        raise FeedError("The feed defines XML entities, which no feed needs. It was not read.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name not in _ROOTS:
            raise FeedError("The address does not lead to a feed: it is neither RSS nor Atom.")
        if len(self._open) >= _DEEPEST:
            raise FeedError("The feed is nested too deeply. It was not read.")
        self._open.append(name)
        if name in _EPISODES:
            self._texts, self._files = {}, []
        elif self._texts is not None:
            self._field = _FIELDS.get(name)
            if found := _file_of(name, attributes):
                self._files.append(found)
        elif _FIELDS.get(name) == "title" and len(self._open) <= 3 and not self.title:
            self._field = "title"

    def _text(self, text: str) -> None:
        if self._field is None:
            return
        if self._texts is None:
            self.title = (self.title + text)[:_LONGEST_TEXT]
        else:
            before = self._texts.get(self._field, "")
            self._texts[self._field] = (before + text)[:_LONGEST_TEXT]

    def _end(self, name: str) -> None:
        self._open.pop()
        self._field = None
        if name in _EPISODES and self._texts is not None:
            if (episode := self._episode(self._texts)) and len(self.episodes) < _MOST_EPISODES:
                self.episodes.append(episode)
            self._texts = None

    def _episode(self, texts: dict[str, str]) -> Episode | None:
        for found in self._files:
            url = _joined(self._url, found)
            if url is not None:
                return Episode(
                    title=" ".join(texts.get("title", "").split()) or url,
                    url=url,
                    published_at=_moment(texts.get("date") or texts.get("changed") or ""),
                    duration_s=_seconds(texts.get("duration", "")),
                )
        return None


def _file_of(name: str, attributes: dict[str, str]) -> str | None:
    """The address of an episode's file, if this element has it."""
    kind = attributes.get("type", "").lower()
    if kind and not kind.startswith(("audio/", "video/")):
        return None
    if name == f"{_ATOM} link":
        return attributes.get("href") if attributes.get("rel") == "enclosure" else None
    is_media = name == f"{_MEDIA} content" and (kind or attributes.get("medium") in _HEARD)
    return attributes.get("url") if name == "enclosure" or is_media else None


def _joined(base: str, url: str) -> str | None:
    """Returns an absolute web address, None if it is none."""
    try:
        joined = urljoin(base, url.strip())
        return joined if urlsplit(joined).scheme in ("http", "https") else None
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    """Reads a date as RSS or Atom has it."""
    readers: tuple[Callable[[str], datetime], ...] = (
        parsedate_to_datetime,
        datetime.fromisoformat,
    )
    for read in readers:
        try:
            found = read(text.strip())
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _seconds(text: str) -> float | None:
    """Reads `3600`, `62:03` or `1:02:03`."""
    parts = text.strip().split(":")
    if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    total = 0
    for part in parts:
        total = total * 60 + int(part[:9])
    return float(total) or None
