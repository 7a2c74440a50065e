"""Feeds of podcasts, as strangers write them: well, badly, and with evil intent."""

import gzip
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from echostream.errors import UrlFetchFailed, UrlNotAllowed
from echostream_ui.intake.feeds import (
    Episode,
    Feed,
    FeedError,
    feeds_among,
    looks_like_feed,
    parse,
    read_feed,
)
from sites import Site, answer, moved

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
     xmlns:media="http://search.yahoo.com/mrss/">
<channel><title>Talk &amp; <![CDATA[more]]></title><image><title>Not this</title></image>
<item><title>Second</title><pubDate>Tue, 03 Mar 2026 08:00:00 +0100</pubDate>
  <itunes:duration>1:02:03</itunes:duration><itunes:title>Nor this</itunes:title>
  <enclosure url="/second.mp3" type="audio/mpeg" length="5"/></item>
<item><title>Only text</title><enclosure url="a.pdf" type="application/pdf"/></item>
<item><title> First
  one </title><itunes:duration>62:03</itunes:duration>
  <media:content url="https://cdn.test/first.mp4" type="video/mp4"/>
  <media:content url="cover.jpg" medium="image"/></item>
<item><enclosure url="javascript:alert(1)" type="audio/mpeg"/></item>
<item><pubDate>yesterday</pubDate><itunes:duration>long</itunes:duration>
  <enclosure url="https://cdn.test/untitled.ogg"/></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Notes</title>
<entry><title>One</title><updated>2026-03-05T10:00:00Z</updated>
  <published>2026-03-04T10:00:00+02:00</published><link href="page.html"/>
  <link rel="enclosure" type="audio/ogg" href="one.ogg"/></entry>
<entry><title>Two</title><updated>2026-03-06T10:00:00Z</updated>
  <link rel="enclosure" href="two.mp3"/></entry>
</feed>"""

LAUGHS = (
    '<!DOCTYPE rss [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 or str()};" * 10}">' for n in range(1, 10))
    + "]><rss><channel><title>&a9;</title></channel></rss>"
)
OUTSIDE = '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><title>&x;</title></rss>'
PARAMETER = '<!DOCTYPE rss [<!ENTITY % x SYSTEM "http://a.test/x"> %x;]><rss/>'


def parsed(text: str | bytes, url: str = "https://pod.test/feeds/main.xml") -> Feed:
    return parse(io.BytesIO(text.encode() if isinstance(text, str) else text), url)


def test_rss_is_read() -> None:
    assert parsed(RSS) == Feed(
        "Talk & more",
        (
            Episode(
                "Second",
                "https://pod.test/second.mp3",
                datetime(2026, 3, 3, 7, tzinfo=UTC),
                3723.0,
            ),
            Episode("First one", "https://cdn.test/first.mp4", None, 3723.0),
            Episode("https://cdn.test/untitled.ogg", "https://cdn.test/untitled.ogg"),
        ),
    )


def test_atom_is_read() -> None:
    one, two = parsed(ATOM).episodes
    assert (one.url, one.published_at) == (
        "https://pod.test/feeds/one.ogg",
        datetime(2026, 3, 4, 8, tzinfo=UTC),
    )
    assert (two.title, two.published_at) == ("Two", datetime(2026, 3, 6, 10, tzinfo=UTC))


def test_old_encodings_are_read() -> None:
    text = RSS.replace("UTF-8", "windows-1251").replace("Second", "Вторая")
    assert parsed(text.encode("windows-1251")).episodes[0].title == "Вторая"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (LAUGHS, "defines XML entities"),
        (OUTSIDE, "defines XML entities"),
        (PARAMETER, "defines XML entities"),
        ("<rss>" + "<a>" * 1_000_000, "nested too deeply"),
        ("<html><body>Hello</body></html>", "neither RSS nor Atom"),
        ("<rss><channel><title>Empty</title></channel></rss>", "no episodes"),
        (RSS[:700], "damaged"),
        ("no XML at all", "damaged"),
        ("", "damaged"),
        (b'<?xml version="1.0" encoding="no-such"?><rss/>', "encoding"),
        (b"\x00\xff" * 1000, "damaged"),
    ],
    ids=["laughs", "file", "parameter", "deep", "html", "empty", "cut", "text", "0", "code", "bin"],
)
def test_what_is_no_feed_or_a_trap_is_refused(text: str | bytes, complaint: str) -> None:
    with pytest.raises(FeedError, match=complaint) as caught:
        parsed(text)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 200


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as running:
        yield running


async def test_a_feed_is_fetched_and_its_links_are_relative_to_it(site: Site) -> None:
    site.pages["/pod/feed"] = answer(ATOM.encode(), "Content-Type: application/atom+xml")
    feed = await read_feed(site.url("/pod/feed"), allow_private=True)
    assert feed.title == "Notes"
    assert feed.episodes[0].url == site.url("/pod/one.ogg")


async def test_an_address_of_this_network_is_not_even_asked(site: Site) -> None:
    site.pages["/feed"] = answer(RSS.encode())
    with pytest.raises(UrlNotAllowed):
        await read_feed(site.url("/feed"))
    assert site.connections == 0


async def test_what_is_too_large_is_refused_also_when_it_is_packed(site: Site) -> None:
    bomb = gzip.compress(b"<rss>" + b" " * 21 * 1024**2)
    site.pages["/told"] = answer(b"<rss>", length=100 * 1024**2)
    site.pages["/packed"] = answer(bomb, "Content-Encoding: gzip")
    for path in ("/told", "/packed"):
        with pytest.raises(FeedError, match="larger than 20 MiB"):
            await read_feed(site.url(path), allow_private=True)


async def test_a_web_page_and_a_missing_feed_are_told(site: Site) -> None:
    site.pages["/page"] = answer(b"<html>", "Content-Type: text/html; charset=utf-8")
    site.pages["/moved"] = moved("file:///etc/passwd")
    with pytest.raises(FeedError, match="web page"):
        await read_feed(site.url("/page"), allow_private=True)
    with pytest.raises(UrlFetchFailed, match="404"):
        await read_feed(site.url("/gone"), allow_private=True)
    with pytest.raises(UrlNotAllowed):
        await read_feed(site.url("/moved"), allow_private=True)


@pytest.mark.parametrize(
    "text",
    [
        RSS,
        ATOM,
        LAUGHS,
        "\n<!-- made by hand --><?xml-stylesheet href='a.css'?>\n<!DOCTYPE rss>\n<rss>",
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
        "<atom:feed>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_feed_is_known_by_how_it_begins(text: str, encoding: str) -> None:
    assert looks_like_feed(text.encode(encoding))


@pytest.mark.parametrize(
    "head",
    [b"", b"ID3\x04", b"<!DOCTYPE html><p><feed>", b"<svg><rss/></svg>", b"<rssx>", b"a <rss>"],
)
def test_what_begins_otherwise_is_none(head: bytes) -> None:
    assert not looks_like_feed(head)


async def test_feeds_are_found_among_links_and_nothing_else_is_fetched_whole(site: Site) -> None:
    site.pages["/pod"] = answer(ATOM.encode())
    site.pages["/evil"] = answer(LAUGHS.encode())
    site.pages["/talk"] = answer(b"ID3" + b"sound" * 1000, length=1024**2)  # its end never comes
    site.pages["/page"] = answer(b"<html>", "Content-Type: text/html")
    paths = ("/pod", "/evil", "/talk", "/page", "/gone", "/talk.mp3?a=1")
    urls = [site.url(path) for path in paths]
    found = await feeds_among([*urls, urls[0]], allow_private=True)
    assert list(found) == urls[:2]
    assert isinstance(found[urls[0]], Feed)
    assert isinstance(found[urls[1]], FeedError)
    assert site.connections == 5, "none for what its name says, and one for each address"
    assert await feeds_among(urls) == {}, "from here only public addresses are looked at"
    assert site.connections == 5
