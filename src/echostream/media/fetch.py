"""Downloads a file from an untrusted URL; `net` checks every address."""

import asyncio
import errno
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import BinaryIO

import httpx2

from echostream.errors import (
    AudioTooLarge,
    InvalidAudio,
    StorageFull,
    UrlFetchFailed,
    UrlNotAllowed,
)
from echostream.net import (
    Network,
    Pool,
    Response,
    checked_pool,
    checked_url,
    exchange,
    header,
    status_text,
)

_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_BLOCK_BYTES = 1024 * 1024
_HEAD_BYTES = 4096
_HEADERS = (
    ("Accept", "audio/*, video/*, application/octet-stream;q=0.9, */*;q=0.1"),
    ("Accept-Encoding", "identity"),
)


async def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout_s: float,
    allow_private: bool = False,
    network: Network | None = None,
    is_wanted: Callable[[bytes], bool] | None = None,
) -> BinaryIO:
    """Downloads `url` into an unlinked temporary file, at its start. The caller closes it.
    `is_wanted` is called once with the first bytes, 4096 unless there are fewer.

    Follows up to five redirects, also from https to http, and checks each like `url`.

    Raises UrlNotAllowed unless it is a plain http(s) URL with a public address (with
    `allow_private`, any address), UrlFetchFailed if the server cannot be reached, does not answer
    2xx or is not finished after `timeout_s`, AudioTooLarge after `max_bytes` of decoded body,
    InvalidAudio for a web page and for what is not wanted, and StorageFull if the disk is full. No
    message names an address.
    """
    try:
        async with (
            asyncio.timeout(timeout_s),
            checked_pool(network or Network(), allow_private) as pool,
        ):
            return await _download(pool, checked_url(url), max_bytes, is_wanted)
    except TimeoutError:
        raise UrlFetchFailed(f"The download took longer than {timeout_s:g} s.") from None


async def _download(
    pool: Pool, url: httpx2.URL, max_bytes: int, is_wanted: Callable[[bytes], bool] | None
) -> BinaryIO:
    for _ in range(_MAX_REDIRECTS + 1):
        async with exchange(pool, "GET", url, _HEADERS) as response:
            target = header(response, "location")
            if response.status in _REDIRECTS and target:
                url = _redirected(url, target)
                continue
            _check_head(response, max_bytes)
            return await _save(response, max_bytes, is_wanted)
    raise UrlFetchFailed(f"The URL redirects more than {_MAX_REDIRECTS} times.")


def _redirected(url: httpx2.URL, target: str) -> httpx2.URL:
    try:
        return checked_url(url.join(target))
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise UrlNotAllowed("The URL redirects to a malformed URL.") from error


def _check_head(response: Response, max_bytes: int) -> None:
    if not 200 <= response.status < 300:
        raise UrlFetchFailed(f"The server of the URL answered {status_text(response.status)}.")
    length = header(response, "content-length")
    if length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    if header(response, "content-type").lower().startswith("text/html"):
        raise InvalidAudio(
            "The URL leads to a web page, not to an audio or video file; "
            "give the address of the file itself."
        )


def _too_large(max_bytes: int) -> AudioTooLarge:
    return AudioTooLarge(f"The file is larger than the {max_bytes / 1024**2:g} MiB allowed.")


async def _save(
    response: Response, max_bytes: int, is_wanted: Callable[[bytes], bool] | None
) -> BinaryIO:
    """Writes the body to a temporary file, block by block, outside the event loop."""
    decoder = _decoder(header(response, "content-encoding").lower())
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it outlives this function
    try:
        written_bytes, block = 0, bytearray()
        async with aclosing(response.aiter_stream()) as chunks:
            async for chunk in chunks:
                for piece in _decoded(chunk, decoder):
                    block += piece
                    if written_bytes + len(block) > max_bytes:
                        raise _too_large(max_bytes)
                    if is_wanted is not None and len(block) >= _HEAD_BYTES:
                        _check_wanted(block, is_wanted)
                        is_wanted = None
                    if len(block) >= _BLOCK_BYTES:
                        await asyncio.to_thread(_write, file, block)
                        written_bytes, block = written_bytes + len(block), bytearray()
        if decoder is not None:
            block += decoder.flush()  # at most the end of one match: 258 bytes
            if not decoder.eof:
                raise UrlFetchFailed("The server of the URL broke off its answer.")
        if is_wanted is not None:
            _check_wanted(block, is_wanted)
        await asyncio.to_thread(_write, file, block)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _check_wanted(block: bytearray, is_wanted: Callable[[bytes], bool]) -> None:
    if not is_wanted(bytes(block[:_HEAD_BYTES])):
        raise InvalidAudio("The URL leads to something else than was looked for.")


def _write(file: BinaryIO, block: bytearray) -> None:
    try:
        file.write(block)
        file.flush()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull("There is no room for the download.") from error
        raise


def _decoder(encoding: str) -> "zlib._Decompress | None":
    """For servers that compress although asked not to. Only gzip and zlib are accepted."""
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
    raise UrlFetchFailed("The server of the URL compressed its answer in an unknown format.")


def _decoded(chunk: bytes, decoder: "zlib._Decompress | None") -> Iterator[bytes]:
    """Decompresses in pieces of limited size, so that a decompression bomb is noticed in time."""
    if decoder is None:
        yield chunk
        return
    try:
        while chunk and not decoder.eof:
            yield decoder.decompress(chunk, _BLOCK_BYTES)
            chunk = decoder.unconsumed_tail
    except zlib.error as error:
        raise UrlFetchFailed("The server of the URL sent a damaged answer.") from error
