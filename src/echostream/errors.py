"""Every error that clients may see, as one tree.

    EchoStreamError
    ├── InvalidRequest            the caller's request is malformed
    │   ├── EventRefused          an event of a realtime client is malformed
    │   ├── InvalidReference      the recording of a known voice cannot be used
    │   └── MissingAudio          neither audio nor a URL (nor a transcript) was given
    ├── Unauthorized
    ├── RateLimited               the caller asks too often
    ├── RequestTimeout            the caller sends its request too slowly
    ├── OriginNotAllowed          a page of another site opens a WebSocket
    ├── AudioError                the audio itself is at fault
    │   ├── InvalidAudio          not decodable, no audio stream, or empty
    │   ├── AudioTooLarge         more bytes than MAX_UPLOAD_MB
    │   └── AudioTooLong          more seconds than MAX_AUDIO_SECONDS
    ├── FetchError                audioUrl could not be fetched
    │   ├── UrlNotAllowed         its scheme or address is refused
    │   └── UrlFetchFailed        the remote server failed
    ├── LiveError                 a live session cannot do what the client wants
    │   ├── TooFast               audio arrives faster than it can be read
    │   ├── AudioIdTaken          another live session has this audioId
    │   ├── ResumeFailed          no such session, or the wrong secret
    │   ├── NothingToCommit       a realtime client ends a turn without audio
    │   └── SessionExpired        a realtime client has sent no audio for too long
    ├── ServerBusy                too many requests are waiting
    ├── QueueUnavailable          there is no job queue
    ├── InsightsOff               INSIGHTS_PROVIDER is `none`
    ├── NoLanguageModel           what was asked for needs one, and none is configured
    ├── AnswerFailed              the language model gave no answer to a question
    ├── ModelNotFound             there is no model of that name
    ├── JobNotFound               there is no such job, or no longer
    ├── JobCompleted              a job that is to be tried again has its result
    ├── EngineError               the speech engine failed
    │   ├── ModelUnavailable      its model cannot be loaded
    │   └── EngineRestarted       its process ended and is being restarted
    │       └── EngineAway        it has not come back
    ├── StorageFull               no room for the upload
    ├── StorageUnavailable        the job storage cannot be reached or refuses access
    ├── StagedAudioMissing        a job's audio is gone
    ├── Cancelled                 the caller asked to stop the work
    └── MissingExtra              a feature needs a library that is not installed

Clients match on `code`. `status` is the HTTP status, and `fault` says whose fault it is, which
decides what becomes of a job. Each transport maps errors to responses in one place.

Errors that never reach a client are where they are raised: `InsightsError` in `llm/base.py`,
`WebhookFailed` in `webhooks.py`.
"""

from typing import Literal

Fault = Literal["input", "ours", "unclear"]
"""`input`: a job fails at once, since its input will be the same next time. `ours`: it waits until
what failed is back. `unclear`: it is tried a few times."""


class EchoStreamError(Exception):
    """Root of all errors that clients may see. `str(error)` is a sentence for them."""

    code = "process_failed"
    status = 500
    fault: Fault = "unclear"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class InvalidRequest(EchoStreamError):
    """`param` is the field at fault, if there is one."""

    code = "invalid_request"
    status = 422
    fault = "input"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class EventRefused(InvalidRequest):
    """An event cannot be used; its session continues. `code` is one of OpenAI's."""

    status = 400

    def __init__(self, code: str, message: str, *, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.code = code


class InvalidReference(InvalidRequest):
    """The recording of a known speaker's voice cannot be used."""

    status = 400


class MissingAudio(InvalidRequest):
    """There is nothing to transcribe. `code` depends on the endpoint, as clients expect."""

    code = "missing_audioUrl_or_audio"
    status = 400


class MissingAudioOrTranscript(MissingAudio):
    code = "missing_audio_or_transcript"


class Unauthorized(EchoStreamError):
    code = "unauthorized"
    status = 401


class RateLimited(EchoStreamError):
    code = "rate_limited"
    status = 429


class RequestTimeout(EchoStreamError):
    code = "request_timeout"
    status = 408


class OriginNotAllowed(EchoStreamError):
    code = "origin_not_allowed"
    status = 403


class AudioError(EchoStreamError):
    code = "invalid_audio"
    status = 422
    fault = "input"


class InvalidAudio(AudioError):
    pass


class AudioTooLarge(AudioError):
    code = "audio_too_large"
    status = 413


class AudioTooLong(AudioError):
    code = "audio_too_long"
    status = 413


class FetchError(EchoStreamError):
    code = "url_fetch_failed"
    status = 502


class UrlNotAllowed(FetchError):
    code = "url_not_allowed"
    status = 400
    fault = "input"


class UrlFetchFailed(FetchError):
    pass


class LiveError(EchoStreamError):
    code = "invalid_request"
    status = 422


class TooFast(LiveError):
    code = "too_fast"
    status = 429


class AudioIdTaken(LiveError):
    code = "audio_id_taken"
    status = 409


class ResumeFailed(LiveError):
    """The same error for both causes, so that nobody learns which ids exist."""

    code = "resume_failed"
    status = 404


class NothingToCommit(LiveError):
    code = "input_audio_buffer_commit_empty"
    status = 400


class SessionExpired(LiveError):
    code = "session_expired"
    status = 408


class ServerBusy(EchoStreamError):
    code = "server_busy"
    status = 503
    fault = "ours"


class QueueUnavailable(EchoStreamError):
    code = "queue_unavailable"
    status = 503
    fault = "ours"


class InsightsOff(EchoStreamError):
    code = "insights_off"
    status = 503


class NoLanguageModel(EchoStreamError):
    code = "no_language_model"
    status = 503


class AnswerFailed(EchoStreamError):
    code = "answer_failed"
    status = 502


class ModelNotFound(EchoStreamError):
    code = "model_not_found"
    status = 404
    fault = "input"


class JobNotFound(EchoStreamError):
    code = "job_not_found"
    status = 404


class JobCompleted(EchoStreamError):
    code = "job_completed"
    status = 409


class EngineError(EchoStreamError):
    code = "process_failed"
    status = 500


class ModelUnavailable(EngineError):
    code = "model_unavailable"
    status = 503
    fault = "ours"


class EngineRestarted(EngineError):
    """Raised when the engine ends again and again; the recording may be the reason."""

    code = "engine_restarted"
    status = 503


class EngineAway(EngineRestarted):
    """The engine has ended and does not come back, whatever it was asked."""

    fault = "ours"


class StorageFull(EchoStreamError):
    code = "storage_full"
    status = 507
    fault = "ours"


class StorageUnavailable(EchoStreamError):
    """The storage does not answer or refuses access."""

    code = "storage_unavailable"
    status = 503
    fault = "ours"


class StagedAudioMissing(EchoStreamError):
    """A job's audio is not in the storage, so the job cannot succeed."""

    code = "staged_audio_missing"
    status = 410
    fault = "input"


class Cancelled(EchoStreamError):
    code = "cancelled"
    status = 499
    fault = "input"


class MissingExtra(EchoStreamError):
    """The message names the extra that brings the library. Told when a program starts, rather than
    to those who ask it for something."""

    code = "not_installed"
    status = 501
    fault = "ours"
