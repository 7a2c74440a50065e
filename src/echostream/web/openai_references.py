"""Known speakers of requests under `/v1`: names, and a short recording of each voice."""

import base64
import re
import tempfile
from typing import BinaryIO

from echostream.domain import KnownVoice
from echostream.errors import AudioError, InvalidReference, ModelUnavailable
from echostream.pipeline import Pipeline
from echostream.web.openai_fields import AudioFields

_LEAST_S, _MOST_S = 2.0, 10.0
_LEEWAY_S = 0.1
"""Encoders add or drop a few milliseconds."""
_DATA_URL = re.compile(r"data:(audio|video)/[\w.+-]+(;[\w.+=-]+)*;base64,")
_NAMES = "known_speaker_names"
_REFERENCES = "known_speaker_references"


async def known_voices(pipeline: Pipeline, fields: AudioFields) -> tuple[KnownVoice, ...]:
    """Returns the voices of a request's references; none if there is no model for them, which then
    is a warning of the transcript. Raises InvalidReference for one that cannot be used, EngineError
    if the diarizer fails."""
    names, references = fields.known_speaker_names, fields.known_speaker_references
    if len(names) != len(references):
        raise InvalidReference(
            f"{_REFERENCES}: there are {len(references)} for {len(names)} names", param=_REFERENCES
        )
    named = [*names, *(each.name for each in fields.known_speakers)]
    if len(set(named)) < len(named):
        raise InvalidReference(f"{_NAMES}: two speakers have the same name", param=_NAMES)
    try:
        found = [
            await _known_voice(pipeline, name, reference)
            for name, reference in zip(names, references, strict=True)
        ]
    except ModelUnavailable:
        return ()
    return tuple(found)


async def _known_voice(pipeline: Pipeline, name: str, reference: str) -> KnownVoice:
    with tempfile.TemporaryFile() as file:
        _decode(reference, file)
        try:
            voice = await pipeline.voice(
                file, least_s=_LEAST_S - _LEEWAY_S, most_s=_MOST_S + _LEEWAY_S
            )
        except AudioError as error:
            raise _unusable(f"that of {name!r} cannot be used: {error}") from error
    return KnownVoice(name, voice)


def _decode(reference: str, file: BinaryIO) -> None:
    """Writes the content of a data URL."""
    match = _DATA_URL.match(reference)
    if match is None:
        raise _unusable("each must be a data URL such as data:audio/wav;base64,…")
    try:
        file.write(base64.b64decode(reference[match.end() :], validate=True))
    except ValueError as error:
        raise _unusable("the base64 of a data URL is malformed") from error
    file.flush()


def _unusable(reason: str) -> InvalidReference:
    return InvalidReference(f"{_REFERENCES}: {reason}", param=_REFERENCES)
