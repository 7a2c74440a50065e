"""One text that only grows, from the live texts of several channels. It never waits itself."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from echostream.domain import letters
from echostream.scripts import space_between
from echostream.streaming.events import Label, Partial

_MOST_WAIT_S = 5.0


@dataclass(slots=True, eq=False)
class _Channel:
    number: int
    waiting: deque[tuple[Partial, float]] = field(default_factory=deque)
    """Confirmed text that has not been told, and since when."""
    last: Partial | None = None
    told_tentative: str = ""
    speaker: str | None = None

    @property
    def tentative(self) -> str:
        """What follows the told text of this channel: text that waits, and text that may change."""
        confirmed = "".join(partial.text for partial, _ in self.waiting).strip()
        changing = self.last.tentative if self.last else ""
        return f"{confirmed}{' ' if space_between(confirmed, changing) else ''}{changing}"


class Interleaving:
    """Tells the partials of all channels in order of time. A partial that is told names its
    channel, and its `tentative` is of that channel alone."""

    def __init__(
        self,
        channels: int,
        *,
        most_wait_s: float = _MOST_WAIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Text waits up to `most_wait_s` for a channel that may still have something earlier."""
        self._channels = [_Channel(number) for number in range(channels)]
        self._most_wait_s = most_wait_s
        self._clock = clock
        self._before: tuple[_Channel, str] | None = None
        self._told_count = 0

    def note(self, number: int, partial: Partial) -> None:
        """Takes what a channel says."""
        channel = self._channels[number]
        channel.last = partial
        if partial.text:
            channel.waiting.append((partial, self._clock()))

    def ready(self, settled_s: Sequence[float]) -> Iterator[Partial]:
        """Yields what can be told now; each must be told before the next is taken. `settled_s` says
        for each channel the time before which it has nothing more to say."""
        while (channel := self._next(settled_s)) is not None:
            yield self._text(channel)
        for channel in self._channels:
            if channel.last is not None and channel.tentative != channel.told_tentative:
                yield self._told(channel, channel.last, "")

    @property
    def rest_s(self) -> float | None:
        """How long the oldest text may still wait; None if none does."""
        rests_s = (self._rest_s(channel) for channel in self._channels if channel.waiting)
        return min(rests_s, default=None)

    def _next(self, settled_s: Sequence[float]) -> _Channel | None:
        """The channel whose text is told next."""

        def start_s(channel: _Channel) -> float:
            waiting = channel.waiting
            return waiting[0][0].start_s if waiting else settled_s[channel.number]

        first = min(self._channels, key=lambda one: (start_s(one), not one.waiting))
        if first.waiting:
            return first
        late = [one for one in self._channels if one.waiting and self._rest_s(one) <= 0]
        return min(late, key=start_s, default=None)

    def _rest_s(self, channel: _Channel) -> float:
        return self._most_wait_s - (self._clock() - channel.waiting[0][1])

    def _text(self, channel: _Channel) -> Partial:
        """The first text of a channel, joined to the text of all channels."""
        partial, since = channel.waiting.popleft()
        if channel.speaker is None:
            channel.speaker = letters(sum(one.speaker is not None for one in self._channels))
        text = partial.text
        if self._before is not None and self._before[0] is not channel:
            text = text.lstrip()
            text = f"{' ' if space_between(self._before[1], text) else ''}{text}"
        self._before = channel, text
        waited_ms = round(1000 * (self._clock() - since))
        label = Label(self._told_count + 1, channel.speaker)
        told = replace(partial, lag_ms=partial.lag_ms + waited_ms, labels=(label,))
        return self._told(channel, told, text)

    def _told(self, channel: _Channel, partial: Partial, text: str) -> Partial:
        channel.told_tentative = channel.tentative
        self._told_count += bool(text)
        return replace(
            partial,
            text=text,
            seq=self._told_count,
            tentative=channel.told_tentative,
            channel=channel.number,
            speaker=channel.speaker,
        )
