"""The decoder that uses Whisper. Only this module calls CTranslate2 and faster-whisper's tokenizer.

Text is decoded without time tokens. With them, Whisper ends a window early if its last sentence
seems to be cut off, and expects to be called again from there. A batch of windows has no such seek,
so the rest of the window would never be read. The times of all words come from the cross-attention
instead (Radford et al. 2022; dynamic time warping as in OpenAI's `timing.py`).
"""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from echostream.domain import SAMPLE_RATE_HZ, Task
from echostream.engine.whisper.decoder import (
    Ask,
    Audio,
    Encoded,
    Reading,
    Request,
    Span,
    compression_ratio,
)
from echostream.engine.whisper.languages import Chances
from echostream.engine.whisper.loops import before_loop
from echostream.engine.whisper.words import Token, words_of

T = TypeVar("T")

_BEAM_SIZE = 5
_BEST_OF = 5
_FRAMES_PER_S = 100
_ALL_FRAMES = 3000
_FRAMES_STEP = 500
"""Windows are padded to a multiple of this, so that they can share batches."""
_LEAST_PADDING_S = 2.0
_TOKENS_PER_S = 50
"""Time steps in the encoder's output."""
_MOST_TOKENS_PER_S = 30
"""More text than any language needs. It limits the cost of a loop in a short window."""
_MANY_TOKENS_PER_S = 10
"""More text than most languages need. Who has more is read again."""


class WhisperDecoder:
    """A model in faster-whisper's format. CTranslate2 releases the GIL and accepts calls from many
    threads."""

    def __init__(self, model: Any) -> None:
        """`model` is a loaded `faster_whisper.WhisperModel`."""
        self._whisper = model
        self.is_multilingual = bool(model.model.is_multilingual)
        self._tokenizers: dict[tuple[str, Task], Any] = {}

    def encode(self, audios: Sequence[Audio], *, padded: bool) -> list[Encoded]:
        found: dict[int, Encoded] = {}
        padded = padded or self._whisper.model.device != "cpu"
        frames = [_ALL_FRAMES if padded else _frames(audio) for audio in audios]
        for numbers in _alike(frames, lambda count: count):
            batch = [audios[number] for number in numbers]
            found.update(zip(numbers, self._encode(batch, frames[numbers[0]]), strict=True))
        return [found[number] for number in range(len(audios))]

    def _encode(self, audios: Sequence[Audio], frames: int) -> list[Encoded]:
        from faster_whisper.audio import pad_or_trim

        extract = self._whisper.feature_extractor
        # Padded with 0.0 after the spectrogram, as faster-whisper does; see its `pad_or_trim`.
        features = [
            pad_or_trim(extract(_not_too_short(audio))[..., :-1], length=frames) for audio in audios
        ]
        outputs = _as_array(self._whisper.encode(np.stack(features)))
        return [
            Encoded(output, len(audio) / SAMPLE_RATE_HZ, frames == _ALL_FRAMES)
            for output, audio in zip(outputs, audios, strict=True)
        ]

    def languages(self, spans: Sequence[Span]) -> list[Chances]:
        found: dict[int, Chances] = {}
        for numbers in _alike(spans, _steps):
            view = _as_view([_part(spans[number]) for number in numbers])
            detected = self._whisper.model.detect_language(view)
            for number, chances in zip(numbers, detected, strict=True):
                found[number] = {token[2:-2]: float(chance) for token, chance in chances}
        return [found[number] for number in range(len(spans))]

    def decode(self, requests: Sequence[Request]) -> list[Reading]:
        tasks = [self._task(request) for request in requests]
        found: dict[int, Reading] = {}
        for numbers in _alike(tasks, lambda task: task.batches_with):
            readings = self._decode([tasks[number] for number in numbers])
            found.update(zip(numbers, readings, strict=True))
        return [found[number] for number in range(len(requests))]

    def close(self) -> None:
        self._whisper.model.unload_model()

    def _task(self, request: Request) -> "_Task":
        tokenizer = self._tokenizer(request.language, request.ask.task)
        return _Task(request, tokenizer, self._prompt(tokenizer, request.ask))

    def _decode(self, tasks: Sequence["_Task"]) -> list[Reading]:
        """Decodes tasks that CTranslate2 accepts in one call."""
        view = _as_view([task.request.encoded.output for task in tasks])
        longest_s = max(task.request.encoded.duration_s for task in tasks)
        padded = tasks[0].request.encoded.padded
        most = int(20 + (_MOST_TOKENS_PER_S if padded else _MANY_TOKENS_PER_S) * longest_s)
        # CTranslate2 stops at half of `max_length`, or where prompt and text have reached it.
        room = min(self._whisper.max_length, max(2 * most, len(tasks[0].prompt) + most))
        limit = min(room // 2, room - len(tasks[0].prompt))
        results = self._whisper.model.generate(
            view,
            [task.prompt for task in tasks],
            max_length=room,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._suppressed,
            **_search(tasks[0].request.ask.temperature),
        )
        written = [
            [number for number in result.sequences_ids[0] if number < task.tokenizer.eot]
            for result, task in zip(results, tasks, strict=True)
        ]
        text_ids = written
        if not padded:
            # The first copy is what was said. Speech that is still without text is read again.
            text_ids = [
                before_loop(ids, task.is_mark) if len(ids) >= limit else ids
                for ids, task in zip(written, tasks, strict=True)
            ]
        return [
            _reading(result, tokens, task.request, is_cut=len(ids) >= limit)
            for result, ids, tokens, task in zip(
                results, text_ids, self._align(view, text_ids, tasks), tasks, strict=True
            )
        ]

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
        """Whisper has learned to continue earlier text, so hints are given as earlier text. Half of
        its context is reserved for the answer; the other half holds both, the hotwords first."""
        room = self._whisper.max_length // 2 - 1
        hotwords = tokenizer.encode(" " + ", ".join(ask.hotwords)) if ask.hotwords else []
        hotwords = hotwords[: room - 1]
        prompt = tokenizer.encode(" " + ask.prompt.strip()) if ask.prompt else []
        left = room - len(hotwords)
        hints = [*hotwords, *(prompt[-left:] if left else [])]
        before = [tokenizer.sot_prev, *hints] if hints else []
        return [*before, *tokenizer.sot_sequence, tokenizer.no_timestamps]

    def _align(
        self, view: Any, text_ids: Sequence[list[int]], tasks: Sequence["_Task"]
    ) -> list[list[Token]]:
        frames = [
            max(1, min(_ALL_FRAMES, round(task.request.encoded.duration_s * _FRAMES_PER_S)))
            for task in tasks
        ]
        # One start sequence is enough: the language in it hardly affects the attention.
        found = self._whisper.model.align(view, tasks[0].tokenizer.sot_sequence, text_ids, frames)
        return [
            _timed(task.tokenizer, ids, result) if ids else []
            for task, ids, result in zip(tasks, text_ids, found, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Task:
    request: Request
    tokenizer: Any
    prompt: list[int]

    def is_mark(self, token: int) -> bool:
        text = self.tokenizer.decode([token]).strip()
        return bool(text) and not any(character.isalnum() for character in text)

    @property
    def batches_with(self) -> Hashable:
        """CTranslate2 uses the same search for all windows in a call, and their prompts must have
        the same length, as must what the encoder saw of them."""
        request = self.request
        return (request.ask.temperature, len(self.prompt), len(request.encoded.output))


def _alike(items: Sequence[T], key: Callable[[T], Hashable]) -> list[list[int]]:
    """Groups the positions of items that have the same key."""
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        places[key(item)].append(place)
    return list(places.values())


def _as_array(output: Any) -> Any:
    """Copies to the CPU's memory, where windows from different batches can be regrouped."""
    import ctranslate2

    if output.device != "cpu":
        output = output.to_device(ctranslate2.Device.cpu)
    if output.dtype == ctranslate2.DataType.bfloat16:  # numpy has no such type
        output = output.to(ctranslate2.DataType.float32)
    return np.asarray(output)


def _as_view(outputs: Sequence[Any]) -> Any:
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.stack(outputs))


def _steps(span: Span) -> int:
    return max(1, round((span.end_s - span.start_s) * _TOKENS_PER_S))


def _part(span: Span) -> Any:
    states, length = span.encoded.output, _steps(span)
    start = max(0, min(round(span.start_s * _TOKENS_PER_S), len(states) - length))
    return states[start : start + length]


def _search(temperature: float) -> dict[str, Any]:
    """Whisper's own search: a beam at temperature 0, the best of several samples above 0."""
    if temperature == 0:
        return {"beam_size": _BEAM_SIZE}
    return {
        "beam_size": 1,
        "num_hypotheses": _BEST_OF,
        "sampling_topk": 0,
        "sampling_temperature": temperature,
    }


def _frames(audio: Audio) -> int:
    """How many frames the encoder needs for short audio."""
    needed = (len(audio) / SAMPLE_RATE_HZ + _LEAST_PADDING_S) * _FRAMES_PER_S
    return min(_ALL_FRAMES, math.ceil(needed / _FRAMES_STEP) * _FRAMES_STEP)


def _not_too_short(audio: Audio) -> Audio:
    """Pads short audio, since the spectrogram needs a frame on either side."""
    least = SAMPLE_RATE_HZ // 10
    return audio if len(audio) >= least else np.pad(audio, (0, least - len(audio)))


def _timed(tokenizer: Any, ids: list[int], result: Any) -> list[Token]:
    """Returns the characters with their times: when the attention moves on to each token."""
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


def _reading(result: Any, tokens: list[Token], request: Request, *, is_cut: bool) -> Reading:
    words = tuple(words_of(tokens))
    length = len(result.sequences_ids[0])
    return Reading(
        words=words,
        language=request.language,
        avg_logprob=float(result.scores[0]) * length / (length + 1),
        no_speech_prob=float(result.no_speech_prob),
        compression_ratio=compression_ratio("".join(token.text for token in tokens)),
        temperature=request.ask.temperature,
        is_cut=is_cut,
    )
