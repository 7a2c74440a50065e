"""One decoder for several recordings: windows that wait at the same time are read together.

Each recording has a seat. Live audio and files have separate lanes, because a live client waits for
the whole batch that contains its short window. A lane takes one window from each seat in turn, so
an hour of audio delays a short recording by one batch and not by an hour.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from echostream.engine.whisper.decoder import Audio, Decoder, Encoded, Reading, Request, Span
from echostream.engine.whisper.languages import Chances

_Kind = Literal["encode", "encode padded", "decode"]
_KINDS = get_args(_Kind)


class SharedDecoder:
    """Thread-safe. A waiting thread reads the batch itself if no other thread in its lane does."""

    def __init__(self, decoder: Decoder, *, batch_size: int) -> None:
        """Both lanes may call `decoder` at the same time, each with at most `batch_size`
        windows."""
        self._decoder = decoder
        self._files = _Lane(decoder, batch_size)
        self._live = _Lane(decoder, batch_size)

    def seat(self, *, live: bool) -> Decoder:
        """Returns a decoder for one recording, to be used by one thread at a time."""
        return _Seat(self._decoder, self._live if live else self._files)

    @property
    def waiting(self) -> int:
        """Number of windows that are not in a batch yet."""
        return self._files.waiting + self._live.waiting

    def close(self) -> None:
        """Frees the model."""
        self._decoder.close()


class _Seat:
    def __init__(self, decoder: Decoder, lane: "_Lane") -> None:
        self._decoder = decoder
        self._lane = lane

    @property
    def is_multilingual(self) -> bool:
        return self._decoder.is_multilingual

    def encode(self, audios: Sequence[Audio], *, padded: bool) -> list[Encoded]:
        kind: _Kind = "encode padded" if padded else "encode"
        return self._lane.read([_Window(self, kind, audio) for audio in audios])

    def languages(self, spans: Sequence[Span]) -> list[Chances]:
        return self._decoder.languages(spans)

    def decode(self, requests: Sequence[Request]) -> list[Reading]:
        return self._lane.read([_Window(self, "decode", request) for request in requests])

    def close(self) -> None:
        """Does nothing: the model is shared."""


@dataclass(slots=True, eq=False)
class _Window:
    """One window on its way through the decoder."""

    seat: _Seat
    kind: _Kind
    asked: Any
    answer: Any = None
    error: BaseException | None = None

    @property
    def is_read(self) -> bool:
        return self.answer is not None or self.error is not None


class _Lane:
    def __init__(self, decoder: Decoder, batch_size: int) -> None:
        self._decoder = decoder
        self._batch_size = batch_size
        self._changed = threading.Condition()
        self._waiting: list[_Window] = []
        self._at_work = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def read(self, windows: list[_Window]) -> list[Any]:
        """Returns the answers in order. Raises what the decoder raises for one of the windows."""
        with self._changed:
            self._waiting += windows
        while batch := self._next_batch(windows):
            try:
                self._read(batch)
            finally:
                with self._changed:
                    self._at_work = False
                    self._changed.notify_all()
        for window in windows:
            if window.error is not None:
                raise window.error
        return [window.answer for window in windows]

    def _next_batch(self, own: list[_Window]) -> list[_Window]:
        """Returns what this thread must read now; empty once its own windows have been read."""
        with self._changed:
            while self._at_work:
                if all(window.is_read for window in own):
                    return []
                self._changed.wait()
            if all(window.is_read for window in own):
                return []
            self._at_work = True
            batch = _in_turn(self._waiting)[: self._batch_size]
            self._waiting = [window for window in self._waiting if window not in batch]
            return batch

    def _read(self, batch: list[_Window]) -> None:
        try:
            for window, answer in zip(batch, self._answers(batch), strict=True):
                window.answer = answer
        except BaseException as error:
            parts = [[window for window in batch if window.seat is seat] for seat in _seats(batch)]
            if len(parts) == 1:
                for window in batch:
                    window.error = error
            else:  # one recording must not make the others fail
                for part in parts:
                    self._read(part)

    def _answers(self, batch: list[_Window]) -> Sequence[Any]:
        asked = [window.asked for window in batch]
        if batch[0].kind == "decode":
            return self._decoder.decode(asked)
        return self._decoder.encode(asked, padded=batch[0].kind == "encode padded")


def _in_turn(waiting: Sequence[_Window]) -> list[_Window]:
    """Returns the waiting windows of one kind: the first of each seat in order of arrival, then the
    second of each, and so on. Encoding comes first, so that more can be decoded together."""
    kinds = {window.kind for window in waiting}
    kind = min(kinds, key=_KINDS.index, default="decode")
    taken: dict[_Seat, int] = {}
    turns: list[tuple[int, _Window]] = []
    for window in waiting:
        if window.kind == kind:
            taken[window.seat] = taken.get(window.seat, 0) + 1
            turns.append((taken[window.seat], window))
    return [window for _turn, window in sorted(turns, key=lambda each: each[0])]


def _seats(batch: Sequence[_Window]) -> list[_Seat]:
    return list(dict.fromkeys(window.seat for window in batch))
