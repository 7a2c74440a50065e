"""Clients that are gone in the middle of what they do, without a word."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

import websockets

from benchmarks.clips import Clip
from benchmarks.synth import RATE_HZ

_STAY_S = 0.5
_PIECES = 4
_CHUNK = '451-["audio_chunk",{"buffer":{"_placeholder":true,"num":0}}]'


async def leave_upload(url: str, clip: Clip) -> None:
    """Cuts the connection in the middle of the body."""
    content = clip.wav()
    head = (
        "POST /upload-audio HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: multipart/form-data; boundary=XX\r\n"
        f"Content-Length: {len(content) + 1000}\r\n\r\n--XX\r\n"
        'Content-Disposition: form-data; name="audio"; filename="left.wav"\r\n\r\n'
    )
    where = urlsplit(url)
    with suppress(OSError):
        _reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(head.encode() + content[: len(content) // 2])
        await asyncio.sleep(_STAY_S)
        writer.transport.abort()


async def leave_live(url: str, clip: Clip) -> None:
    """Opens a live session over a WebSocket, sends some sound and cuts the connection."""
    address = f"ws{url.removeprefix('http')}/socket.io/?EIO=4&transport=websocket"
    with suppress(OSError, websockets.exceptions.WebSocketException):
        async with websockets.connect(address, proxy=None) as socket:
            for said in (None, "40", '42["start_audio",{"ext":"pcm","insights":false}]'):
                if said is not None:
                    await socket.send(said)
                await socket.recv()
            for piece in range(_PIECES):
                start = piece * RATE_HZ // 2
                await socket.send(_CHUNK)
                await socket.send(clip.samples[start:][: RATE_HZ // 2].astype("<i2").tobytes())
                await asyncio.sleep(_STAY_S)
            socket.transport.abort()
