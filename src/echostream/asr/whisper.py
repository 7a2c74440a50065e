"""Whisper by faster-whisper (CTranslate2), the engine EchoStream is made for."""

import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import structlog

from echostream.asr.base import DetectedLanguage, Samples, Transcription
from echostream.asr.vad import parts_cut_in_silence, to_float32
from echostream.domain import SAMPLE_RATE_HZ, Segment, TranscribeOptions, Word
from echostream.errors import InvalidRequest, ModelUnavailable
from echostream.settings import Settings

log = structlog.get_logger(__name__)

# faster-whisper holds float samples and features of all it is given, about six times the PCM16, so
# a long recording goes in part by part. Measured on 20 minutes, parts of ten cost no time and parts
# of five a tenth, since the last batch of each is partly filled.
_PART_S = 600.0
_WORKERS = 2
# Whisper's own thresholds (Radford et al. 2022, section 4.5), which the batched pipeline ignores.
_MAX_COMPRESSION_RATIO = 2.4
_MIN_AVG_LOGPROB = -1.0
_MAX_NO_SPEECH_PROB = 0.6
_FALLBACK_TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)
# Text that still repeats after every temperature is cut to this many copies.
_MAX_REPEATS = 2


class WhisperTranscriber:
    """A loaded Whisper model. CTranslate2 releases the GIL and queues calls from many threads."""

    engine = "whisper"

    def __init__(
        self, folder: Path, name: str, settings: Settings, *, part_s: float = _PART_S
    ) -> None:
        """Load the CTranslate2 model in `folder`. Takes seconds; raises ModelUnavailable."""
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        self.model = name
        self._part_s = part_s
        self._batch_size = settings.whisper_batch_size
        try:
            self._whisper = WhisperModel(
                str(folder),
                device=settings.whisper_device,
                compute_type=settings.whisper_compute_type,
                # With one, a live turn would wait for the batch of a file that is at work.
                num_workers=_WORKERS,
                cpu_threads=settings.whisper_cpu_threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            log.error("whisper_load_failed", model=name, reason=str(error))
            raise ModelUnavailable(f"the Whisper model {name!r} cannot be loaded") from error
        self._batched = BatchedInferencePipeline(self._whisper)

    def transcribe(self, samples: Samples, options: TranscribeOptions) -> Transcription:
        detected = DetectedLanguage(options.language or "und")
        return Transcription(self._segments(samples, options, detected), detected)

    def _segments(
        self, samples: Samples, options: TranscribeOptions, detected: DetectedLanguage
    ) -> Generator[Segment]:
        next_id = 0
        language = options.language
        for part in parts_cut_in_silence(samples, part_s=self._part_s):
            audio = to_float32(samples[part.start : part.end])
            found, info = self._start(audio, replace(options, language=language))
            if not info.duration_after_vad:
                continue  # Without speech the detected language means nothing.
            language = detected.code = info.language
            offset_s = part.start / SAMPLE_RATE_HZ
            again = partial(self._decode_again, audio, replace(options, language=language))
            for segment in guarded(found, again):
                yield _to_domain(segment, next_id, offset_s)
                next_id += 1

    def _start(self, audio: Any, options: TranscribeOptions) -> tuple[Iterable[Any], Any]:
        try:
            segments, info = self._batched.transcribe(
                audio,
                language=options.language,
                task=options.task,
                initial_prompt=options.prompt,
                word_timestamps=options.word_timestamps,
                temperature=options.temperature,
                without_timestamps=False,
                vad_filter=True,
                batch_size=self._batch_size,
            )
        except ValueError as error:  # an unknown language code
            raise InvalidRequest(str(error)) from error
        return segments, info

    def _decode_again(self, audio: Any, options: TranscribeOptions, window: list[Any]) -> list[Any]:
        """Decode one window with rising temperature, as Whisper does where its text repeats."""
        start, end = (int(t * SAMPLE_RATE_HZ) for t in (window[0].start, window[-1].end))
        log.info("whisper_repetition", start_s=window[0].start, end_s=window[-1].end)
        found, _info = self._whisper.transcribe(
            audio[start:end],
            language=options.language,
            task=options.task,
            initial_prompt=options.prompt,
            word_timestamps=options.word_timestamps,
            temperature=_FALLBACK_TEMPERATURES,
            condition_on_previous_text=False,
        )
        return [_shifted(segment, window[0].start) for segment in found if segment.text.strip()]

    def close(self) -> None:
        self._whisper.model.unload_model()


def guarded(found: Iterable[Any], decode_again: Callable[[list[Any]], list[Any]]) -> Iterator[Any]:
    """Pass good windows on, drop invented text, and have windows that repeat decoded again.

    `found` are faster-whisper's segments; those of one 30 s window share its `seek`.
    """
    for _seek, group in groupby(found, key=lambda segment: segment.seek):
        window = [segment for segment in group if segment.text.strip()]
        if not window or _is_invented(window[0]):
            continue
        if _repeats(window):
            window = decode_again(window)
        yield from _without_repeats(window) if _repeats(window) else window


def _is_invented(segment: Any) -> bool:
    """Whisper's rule for text that it made up where nobody spoke."""
    return bool(
        segment.no_speech_prob > _MAX_NO_SPEECH_PROB and segment.avg_logprob < _MIN_AVG_LOGPROB
    )


def _repeats(segments: list[Any]) -> bool:
    """Whisper's measure of a loop: text that zlib makes much smaller."""
    text = "".join(segment.text for segment in segments).encode()
    return len(text) / len(zlib.compress(text)) > _MAX_COMPRESSION_RATIO


def _without_repeats(segments: list[Any]) -> list[Any]:
    """Keep at most two neighbours of the same text."""
    kept: list[Any] = []
    for _text, group in groupby(segments, key=lambda segment: segment.text.strip().lower()):
        kept.extend(list(group)[:_MAX_REPEATS])
    return kept


def _shifted(segment: Any, offset_s: float) -> Any:
    words = segment.words and [
        replace(word, start=word.start + offset_s, end=word.end + offset_s)
        for word in segment.words
    ]
    return replace(segment, start=segment.start + offset_s, end=segment.end + offset_s, words=words)


def _to_domain(segment: Any, segment_id: int, offset_s: float) -> Segment:
    return Segment(
        id=segment_id,
        start_s=round(offset_s + float(segment.start), 3),
        end_s=round(offset_s + float(segment.end), 3),
        text=segment.text.strip(),
        words=tuple(
            Word(
                start_s=round(offset_s + float(word.start), 3),
                end_s=round(offset_s + float(word.end), 3),
                text=word.word.strip(),
                probability=round(float(word.probability), 4),
            )
            for word in segment.words or ()
        ),
        tokens=tuple(segment.tokens),
        temperature=float(segment.temperature),
        avg_logprob=float(segment.avg_logprob),
        compression_ratio=float(segment.compression_ratio),
        no_speech_prob=float(segment.no_speech_prob),
    )
