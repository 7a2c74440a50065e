"""Answers in the shapes that OpenAI's SDKs parse."""

import math
from collections.abc import Iterable
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse, PlainTextResponse

from echostream.domain import Segment, Task, Transcript
from echostream.exports import to_srt, to_vtt
from echostream.schema import WarningShape
from echostream.web.openai_fields import AudioFields

_SEEK_FRAMES_PER_S = 100
_NOBODY = "unknown"
_LEAST_PROBABILITY = 1e-6


def formatted(transcript: Transcript, fields: AudioFields, task: Task) -> Response:
    match fields.response_format:
        case "text":
            return PlainTextResponse(transcript.text + "\n")
        case "srt":
            return PlainTextResponse(to_srt(transcript, fields.cue_options))
        case "vtt":
            return PlainTextResponse(to_vtt(transcript, fields.cue_options), media_type="text/vtt")
        case "json":
            return JSONResponse(_json(transcript, fields))
        case "verbose_json":
            return JSONResponse(_verbose(transcript, fields, task))
        case "diarized_json":
            return JSONResponse(_diarized(transcript, task))


def _json(transcript: Transcript, fields: AudioFields) -> dict[str, Any]:
    body: dict[str, Any] = {"text": transcript.text}
    if transcript.languages:
        body["languages"] = [{"code": code} for code in transcript.languages]
    if fields.wants_logprobs:
        body["logprobs"] = logprobs(transcript.segments)
    return body | {"usage": _usage(transcript)}


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": round(transcript.duration_s, 3)}


def logprobs(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """Returns one token for each word, with the space before it, as the engine gives a probability
    for each word. The joined tokens are the text."""
    found: list[dict[str, Any]] = []
    for segment in segments:
        for number, word in enumerate(segment.words):
            first = segment if number == 0 else word
            token = f" {word.text}" if found and first.space_before else word.text
            logprob = round(math.log(max(word.probability, _LEAST_PROBABILITY)), 4)
            found.append({"token": token, "logprob": logprob, "bytes": list(token.encode())})
    return found


def _verbose(transcript: Transcript, fields: AudioFields, task: Task) -> dict[str, Any]:
    body: dict[str, Any] = {
        "task": task,
        "language": transcript.language,
        "duration": round(transcript.duration_s, 3),
        "text": transcript.text,
        "segments": [_verbose_segment(segment) for segment in transcript.segments],
    }
    if fields.wants_words:
        body["words"] = [
            {"word": word.text, "start": word.start_s, "end": word.end_s}
            for word in transcript.words
        ]
    return body | told_warnings(transcript) | {"usage": _usage(transcript)}


def _diarized(transcript: Transcript, task: Task) -> dict[str, Any]:
    body: dict[str, Any] = {
        "task": task,
        "duration": round(transcript.duration_s, 3),
        "text": transcript.text,
        "segments": diarized_segments(transcript),
    }
    return body | told_warnings(transcript) | {"usage": _usage(transcript)}


def diarized_segments(transcript: Transcript) -> list[dict[str, Any]]:
    """Returns the segments, each in the shape of its event in a stream."""
    return [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{segment.id}",
            "start": segment.start_s,
            "end": segment.end_s,
            "text": segment.text,
            # SDKs of typed languages expect a text.
            "speaker": segment.speaker or _NOBODY,
        }
        for segment in transcript.segments
    ]


def told_warnings(transcript: Transcript) -> dict[str, Any]:
    """A field that OpenAI does not have, only if there are warnings."""
    warnings = [WarningShape.of(each).model_dump() for each in transcript.warnings]
    return {"warnings": warnings} if warnings else {}


def _verbose_segment(segment: Segment) -> dict[str, Any]:
    shape = {
        "id": segment.id,
        "seek": round(segment.start_s * _SEEK_FRAMES_PER_S),
        "start": segment.start_s,
        "end": segment.end_s,
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }
    return shape | ({"speaker": segment.speaker} if segment.speaker else {})


def error_body(code: str, status: int, message: str, param: str | None = None) -> dict[str, Any]:
    """Returns an error in OpenAI's shape."""
    return {"error": error_details(code, status, message, param)}


def error_details(code: str, status: int, message: str, param: str | None = None) -> dict[str, Any]:
    kind = "invalid_request_error" if status < 500 else "server_error"
    if status == 401:
        kind = "authentication_error"
    if status == 429:
        kind = "rate_limit_error"
    return {"message": message, "type": kind, "param": param, "code": code}
