"""Whisper through faster-whisper (CTranslate2), EchoStream's main engine."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import structlog

from echostream.domain import SAMPLE_RATE_HZ, Segment, TranscribeOptions
from echostream.engine.base import ENGLISH, Capabilities, Report, Samples, Transcription
from echostream.engine.segments import Segmenter
from echostream.engine.vad import Region, speech_regions
from echostream.engine.whisper.ctranslate import WhisperDecoder
from echostream.engine.whisper.decoder import Decoder
from echostream.engine.whisper.defaults import best_batch_size, best_compute_type, compute_types
from echostream.engine.whisper.reading import RecordingReader
from echostream.engine.whisper.sharing import SharedDecoder
from echostream.engine.windows import LONGEST_SPEECH_S, Window, windows
from echostream.errors import ModelUnavailable
from echostream.settings import Settings
from echostream.settings.cpus import cpu_count

log = structlog.get_logger(__name__)

_LANES = 2
"""As in `SharedDecoder`. With one worker, live windows would wait for a file's batch."""


class WhisperTranscriber:
    """Transcribes whole recordings. Windows are found, decoded and dropped batch by batch, so only
    the samples use more memory in a longer recording."""

    engine = "whisper"

    def __init__(
        self,
        decoder: Decoder,
        name: str,
        *,
        batch_size: int,
        capabilities: Capabilities = Capabilities(),  # noqa: B008 - frozen
    ) -> None:
        self.model = name
        self.capabilities = capabilities
        self._decoder = SharedDecoder(decoder, batch_size=batch_size)
        self._batch_size = batch_size

    def transcribe(
        self,
        samples: Samples,
        options: TranscribeOptions,
        *,
        live: bool = False,
        speech: Sequence[Region] | None = None,
    ) -> Transcription:
        report = Report()
        reader = RecordingReader(self._decoder.seat(live=live), samples, options, report)
        found = speech_regions(samples, max_region_s=LONGEST_SPEECH_S) if speech is None else speech
        return Transcription(self._segments(samples, found, reader, report), report)

    def _segments(
        self, samples: Samples, speech: Iterable[Region], reader: RecordingReader, report: Report
    ) -> Generator[Segment]:
        segmenter = Segmenter(len(samples) / SAMPLE_RATE_HZ)
        for batch in self._batches(windows(speech, len(samples))):
            report.begin(batch[-1].pieces[-1].end / SAMPLE_RATE_HZ)
            words = reader.read(batch)
            report.end()
            yield from segmenter.add(words)
        yield from segmenter.close()

    def _batches(self, found: Iterator[Window]) -> Iterator[list[Window]]:
        while batch := list(islice(found, self._batch_size)):
            yield batch

    def close(self) -> None:
        self._decoder.close()


def load_whisper(folder: Path, name: str, settings: Settings) -> WhisperTranscriber:
    """Loads the CTranslate2 model in `folder`. Takes seconds; raises ModelUnavailable."""
    import ctranslate2
    from faster_whisper import WhisperModel

    # It writes to stderr, not to our log. We handle and log what it would warn about.
    ctranslate2.set_log_level(_CTRANSLATE2_ERRORS)
    ctranslate2.set_random_seed(_SEED)
    device = settings.whisper_device
    compute_type = settings.whisper_compute_type
    if compute_type == "default":
        compute_type = best_compute_type(device)
    elif compute_type not in (known := compute_types(device)):
        raise ModelUnavailable(
            f"WHISPER_COMPUTE_TYPE: this machine has no {compute_type}, but {', '.join(known)}"
        )
    try:
        model = WhisperModel(
            str(folder),
            device=device,
            compute_type=compute_type,
            num_workers=_LANES,
            cpu_threads=settings.whisper_cpu_threads or cpu_count(),
            local_files_only=True,
        )
    except (RuntimeError, ValueError, OSError) as error:
        log.error("whisper_load_failed", model=name, reason=str(error))
        raise ModelUnavailable(f"the Whisper model {name!r} cannot be loaded") from error
    used = model.model.compute_type
    if used != compute_type and not used.startswith(compute_type):
        log.warning("whisper_compute_type", asked_for=compute_type, used=used)
    batch_size = settings.whisper_batch_size or best_batch_size(model.model.device)
    log.info("whisper_loaded", model=name, compute_type=used, batch_size=batch_size)
    return WhisperTranscriber(
        WhisperDecoder(model), name, batch_size=batch_size, capabilities=_capabilities(model)
    )


def _capabilities(model: Any) -> Capabilities:
    """Returns the capabilities of a `faster_whisper.WhisperModel`. Not every model knows every
    language that faster-whisper lists."""
    if not model.model.is_multilingual:
        return Capabilities(languages=ENGLISH, translation=False)
    token = model.hf_tokenizer.token_to_id
    learned = (code for code in model.supported_languages if token(f"<|{code}|>") is not None)
    return Capabilities(languages=frozenset(learned))


_CTRANSLATE2_ERRORS = 40
"""Python's `logging.ERROR`; CTranslate2 uses the same numbers."""
_SEED = 20_240_917
"""Makes the same audio give the same text. Only the fallback at higher temperatures is random."""
