"""Windows of audio to words: the only place that calls CTranslate2 and faster-whisper's tokenizer.

Text is decoded without time tokens. With them, Whisper ends a window early where its last sentence
seems to be cut off, and expects to be called again from there; a batch of windows has no such seek,
and what was left of the window would never be read. Times come from the cross-attention instead
(Radford et al. 2022; dynamic time warping as in OpenAI's `timing.py`), for every word.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from echostream.domain import SAMPLE_RATE_HZ, Task
from echostream.engine.whisper.languages import Chances
from echostream.engine.whisper.words import SpokenWord, Token, words_of

Audio = NDArray[np.float32]

_BEAM_SIZE = 5
_BEST_OF = 5
_FRAMES_PER_S = 100
_TOKENS_PER_S = 50
"""Time steps of the encoder's output."""
_MOST_TEXT_TOKENS_PER_S = 30
"""More than any language needs. Bounds what a loop can cost in a short window."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of the decoder for all windows of a batch."""

    task: Task = "transcribe"
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in one window. Times of words are in seconds from its start.

    `avg_logprob`, `no_speech_prob` and `compression_ratio` are Whisper's terms.
    """

    words: tuple[SpokenWord, ...]
    language: str
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    compression_ratio: float = 1.0
    temperature: float = 0.0

    @property
    def text(self) -> str:
        return "".join(
            f"{' ' if word.space_before and number else ''}{word.text}"
            for number, word in enumerate(self.words)
        )


@dataclass(frozen=True, slots=True)
class Encoded:
    """A batch of windows as the encoder sees them."""

    output: Any
    durations_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a window: its number in the batch, and seconds from its start."""

    window: int
    start_s: float
    end_s: float


class Decoder(Protocol):
    """A speech model that reads windows of up to 30 s, several at once. Thread-safe."""

    is_multilingual: bool

    def encode(self, audios: Sequence[Audio]) -> Encoded:
        """What the other methods read. Each audio has 1 to 480,000 samples."""

    def languages(self, encoded: Encoded, spans: Sequence[Span]) -> list[Chances]:
        """For each span the probability of each language, by ISO 639-1 code. Needs no encoding of
        its own."""

    def decode(self, encoded: Encoded, languages: Sequence[str], ask: Ask) -> list[Reading]:
        """The words of each window, in a language each that the model has learned."""

    def close(self) -> None:
        """Free the model."""


class WhisperDecoder:
    """A model of faster-whisper's format. CTranslate2 releases the GIL and takes calls from many
    threads."""

    def __init__(self, model: Any) -> None:
        """`model` is a loaded `faster_whisper.WhisperModel`."""
        self._whisper = model
        self.is_multilingual = bool(model.model.is_multilingual)
        self._tokenizers: dict[tuple[str, Task], Any] = {}

    def encode(self, audios: Sequence[Audio]) -> Encoded:
        from faster_whisper.audio import pad_or_trim

        extract = self._whisper.feature_extractor
        # Padded with 0.0 after the spectrogram, as faster-whisper does; see its `pad_or_trim`.
        features = [pad_or_trim(extract(_not_too_short(audio))[..., :-1]) for audio in audios]
        return Encoded(
            self._whisper.encode(np.stack(features)),
            tuple(len(audio) / SAMPLE_RATE_HZ for audio in audios),
        )

    def languages(self, encoded: Encoded, spans: Sequence[Span]) -> list[Chances]:
        import ctranslate2

        output = encoded.output
        if output.device != "cpu":
            output = output.to_device(ctranslate2.Device.cpu)
        states = np.asarray(output)
        found: dict[Span, Chances] = {}
        for length, group in groupby(sorted(spans, key=_steps), key=_steps):
            alike = list(group)
            parts = np.stack([_part(states, span, length) for span in alike])
            view = ctranslate2.StorageView.from_array(parts)
            for span, chances in zip(alike, self._whisper.model.detect_language(view), strict=True):
                found[span] = {token[2:-2]: float(chance) for token, chance in chances}
        return [found[span] for span in spans]

    def decode(self, encoded: Encoded, languages: Sequence[str], ask: Ask) -> list[Reading]:
        tokenizers = [self._tokenizer(language, ask.task) for language in languages]
        prompts = [self._prompt(tokenizer, ask) for tokenizer in tokenizers]
        longest_s = max(encoded.durations_s)
        room = len(prompts[0]) + int(20 + _MOST_TEXT_TOKENS_PER_S * longest_s)
        results = self._whisper.model.generate(
            encoded.output,
            prompts,
            max_length=min(self._whisper.max_length, room),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._suppressed,
            **_search(ask.temperature),
        )
        text_ids = [
            [number for number in result.sequences_ids[0] if number < tokenizers[0].eot]
            for result in results
        ]
        tokens = self._align(encoded, text_ids, tokenizers)
        return [
            _reading(result, each, language, ask.temperature)
            for result, each, language in zip(results, tokens, languages, strict=True)
        ]

    def close(self) -> None:
        self._whisper.model.unload_model()

    def _tokenizer(self, language: str, task: Task) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        if (language, task) not in self._tokenizers:
            self._tokenizers[language, task] = Tokenizer(
                self._whisper.hf_tokenizer, self.is_multilingual, task, language
            )
        return self._tokenizers[language, task]

    @cached_property
    def _suppressed(self) -> list[int]:
        from faster_whisper.transcribe import get_suppressed_tokens

        return list(get_suppressed_tokens(self._tokenizer("en", "transcribe"), [-1]))

    def _prompt(self, tokenizer: Any, ask: Ask) -> list[int]:
        """Whisper has learned to go on from earlier text, so hints are given as that. The half of
        its context that is not for the answer has room for both, the hotwords first."""
        room = self._whisper.max_length // 2 - 1
        hotwords = tokenizer.encode(" " + ", ".join(ask.hotwords)) if ask.hotwords else []
        hotwords = hotwords[: room - 1]
        prompt = tokenizer.encode(" " + ask.prompt.strip()) if ask.prompt else []
        left = room - len(hotwords)
        hints = [*hotwords, *(prompt[-left:] if left else [])]
        before = [tokenizer.sot_prev, *hints] if hints else []
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]

    def _align(
        self, encoded: Encoded, text_ids: list[list[int]], tokenizers: list[Any]
    ) -> list[list[Token]]:
        frames = [max(1, min(3000, round(each * _FRAMES_PER_S))) for each in encoded.durations_s]
        # One start sequence serves all: what language it names hardly matters to the attention.
        found = self._whisper.model.align(
            encoded.output, tokenizers[0].sot_sequence, text_ids, frames
        )
        return [
            _timed(tokenizer, ids, result) if ids else []
            for tokenizer, ids, result in zip(tokenizers, text_ids, found, strict=True)
        ]


def _steps(span: Span) -> int:
    return max(1, round((span.end_s - span.start_s) * _TOKENS_PER_S))


def _part(states: Any, span: Span, length: int) -> Any:
    start = max(0, min(round(span.start_s * _TOKENS_PER_S), states.shape[1] - length))
    return states[span.window, start : start + length]


def _search(temperature: float) -> dict[str, Any]:
    """Whisper's own: a beam at temperature 0, the best of several samples above it."""
    if temperature == 0:
        return {"beam_size": _BEAM_SIZE}
    return {
        "beam_size": 1,
        "num_hypotheses": _BEST_OF,
        "sampling_topk": 0,
        "sampling_temperature": temperature,
    }


def _not_too_short(audio: Audio) -> Audio:
    """The spectrogram needs a frame on either side."""
    least = SAMPLE_RATE_HZ // 10
    return audio if len(audio) >= least else np.pad(audio, (0, least - len(audio)))


def _timed(tokenizer: Any, ids: list[int], result: Any) -> list[Token]:
    """The text's characters with their times, from where the attention moves on to each token."""
    texts, groups = tokenizer.split_tokens_on_unicode([*ids, tokenizer.eot])
    places = np.cumsum([0, *(len(group) for group in groups[:-1])])
    token_at, time_at = np.array(result.alignments).T
    moves = np.concatenate([[True], np.diff(token_at) > 0])
    starts_s = time_at[moves] / _TOKENS_PER_S
    chances = result.text_token_probs
    return [
        Token(
            text=text,
            ids=tuple(group),
            start_s=float(starts_s[first]),
            end_s=float(starts_s[last]),
            probability=float(np.mean(chances[first:last])),
        )
        for text, group, first, last in zip(
            texts[:-1], groups[:-1], places[:-1], places[1:], strict=True
        )
    ]


def _reading(result: Any, tokens: list[Token], language: str, temperature: float) -> Reading:
    words = tuple(words_of(tokens))
    length = len(result.sequences_ids[0])
    return Reading(
        words=words,
        language=language,
        avg_logprob=float(result.scores[0]) * length / (length + 1),
        no_speech_prob=float(result.no_speech_prob),
        compression_ratio=compression_ratio("".join(token.text for token in tokens)),
        temperature=temperature,
    )


def compression_ratio(text: str) -> float:
    """Whisper's measure of repetition: how much smaller zlib makes a text."""
    data = text.strip().encode()
    return len(data) / len(zlib.compress(data)) if data else 1.0
