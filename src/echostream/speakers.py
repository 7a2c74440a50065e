"""Adds speakers to transcripts. Whatever happens to the diarizer, the transcript stays."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace

import numpy as np
import structlog

from echostream.cache import Cache, diarization_key, dump_diarization, load_diarization
from echostream.diarization.base import Diarization
from echostream.diarization.outcome import with_failure, with_speakers
from echostream.domain import SAMPLE_RATE_HZ, Speaker, SpeakerOptions, Transcript
from echostream.engine import Place, Samples, Speakers
from echostream.errors import EchoStreamError, EngineError, InvalidRequest

log = structlog.get_logger(__name__)

_VOICE_OF = 30 * SAMPLE_RATE_HZ
"""As much speech tells how somebody sounds."""

OnShare = Callable[[float], None]


class SpeakerFinder:
    """Asks the engine who speaks, unless the cache knows."""

    def __init__(self, cache: Cache, *, timeout_s: float) -> None:
        """Diarization may take `timeout_s`, or as long as the audio if that is longer."""
        self._cache = cache
        self._timeout_s = timeout_s

    async def check(self, engine: Speakers, options: SpeakerOptions) -> None:
        """Raises InvalidRequest if known voices are of another model than the diarizer's."""
        if not options.known:
            return
        with suppress(EngineError):  # it will be a warning
            model = await engine.load_diarizer()
            for each in options.known:
                if each.voice.model != model:
                    raise InvalidRequest(
                        f"knownSpeakers: the voice of {each.name!r} is of the model"
                        f" {each.voice.model!r}, and voices are compared with {model!r} here"
                    )

    async def add(
        self,
        engine: Speakers,
        samples: Samples,
        transcript: Transcript,
        options: SpeakerOptions,
        on_share: OnShare = lambda _share: None,
    ) -> Transcript:
        """Returns the transcript with speakers or, if that fails, with a warning. Raises
        InvalidRequest."""
        try:
            found = await self._find(engine, samples, options, on_share)
            return with_speakers(transcript, found, options.known)
        except InvalidRequest:
            raise
        except EchoStreamError as error:
            log.warning("diarization_failed", reason=str(error))
            return with_failure(transcript, str(error))
        except Exception as error:
            log.error("diarization_crashed", exc_info=error)
            return with_failure(transcript, "the diarizer failed")

    async def add_voices(
        self, engine: Place, channels: Sequence[Samples], transcript: Transcript
    ) -> Transcript:
        """Returns the transcript of separate channels with the voices of its speakers or, if that
        fails, with a warning."""
        try:
            async with asyncio.timeout(self._timeout_s):
                found = [
                    replace(each, voice=await engine.voice(_said_by(each, channels, transcript)))
                    for each in transcript.speakers
                ]
        except TimeoutError:
            return with_failure(
                transcript, f"their voices took longer than {self._timeout_s:.0f} s"
            )
        except EchoStreamError as error:
            log.warning("diarization_failed", reason=str(error))
            return with_failure(transcript, str(error))
        return replace(transcript, speakers=tuple(found))

    async def _find(
        self, engine: Speakers, samples: Samples, options: SpeakerOptions, on_share: OnShare
    ) -> Diarization:
        model = await engine.load_diarizer()
        key = await asyncio.to_thread(diarization_key, samples, model, options)
        if known := load_diarization(await self._cache.get(key)):
            return known
        limit_s = max(self._timeout_s, len(samples) / SAMPLE_RATE_HZ)
        try:
            found = await _ask(engine, samples, options, limit_s, on_share)
        except TimeoutError:
            raise EngineError(f"it took longer than {limit_s:.0f} s") from None
        await self._cache.put(key, dump_diarization(found))
        return found


def _said_by(speaker: Speaker, channels: Sequence[Samples], transcript: Transcript) -> Samples:
    """The start of what is said in a speaker's channel, without the silence between."""
    channel = channels[speaker.channel or 0]
    pieces = [np.empty(0, np.int16)]
    for one in transcript.segments:
        if one.channel == speaker.channel and sum(map(len, pieces)) < _VOICE_OF:
            pieces.append(
                channel[int(one.start_s * SAMPLE_RATE_HZ) : int(one.end_s * SAMPLE_RATE_HZ)]
            )
    return np.concatenate(pieces)[:_VOICE_OF]


async def _ask(
    engine: Speakers,
    samples: Samples,
    options: SpeakerOptions,
    limit_s: float,
    on_share: OnShare,
) -> Diarization:
    """Raises TimeoutError `limit_s` after the work has begun."""
    is_at_work = False
    async with (
        asyncio.timeout(None) as limit,
        aclosing(engine.diarize(samples, options)) as answers,
    ):
        async for one in answers:
            if isinstance(one, Diarization):
                return one
            if not is_at_work:  # until now it may have waited for other recordings
                is_at_work = True
                limit.reschedule(asyncio.get_running_loop().time() + limit_s)
            on_share(one)
    raise EngineError("the diarizer gave no answer")
