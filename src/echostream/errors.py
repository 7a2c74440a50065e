"""Every fault EchoStream reports, as one tree.

    EchoStreamError
    ├── InvalidRequest            the caller's request is malformed
    │   └── MissingAudio          neither audio nor a URL (nor a transcript) was given
    ├── Unauthorized
    ├── AudioError                the audio itself is at fault
    │   ├── InvalidAudio          not decodable, no audio stream, or empty
    │   ├── AudioTooLarge         more bytes than MAX_UPLOAD_MB
    │   └── AudioTooLong          more seconds than MAX_AUDIO_SECONDS
    ├── FetchError                audioUrl could not be had
    │   ├── UrlNotAllowed         scheme or address is refused
    │   └── UrlFetchFailed        the remote end failed
    ├── LiveError                 a live session cannot go on as the client wants
    │   ├── TooFast               audio comes faster than it can be read
    │   ├── AudioIdTaken          a live session of somebody else's has this audioId
    │   └── ResumeFailed          no such session, or not the secret that was handed out for it
    ├── ServerBusy                every place in the queue is taken
    ├── QueueUnavailable          no job queue
    ├── ModelNotFound             no model of that name
    ├── JobNotFound               no job of that id, or no longer
    ├── EngineError               the speech engine failed
    │   ├── ModelUnavailable      its model cannot be loaded
    │   └── EngineRestarted       its process ended and is being started again
    ├── StorageFull               no room for the upload
    ├── StorageUnavailable        the storage of jobs cannot be reached or refuses
    ├── StagedAudioMissing        a job's audio is gone
    ├── WebhookFailed             a callbackUrl did not take its message; never reaches a client
    ├── Cancelled                 the caller asked for the work to stop
    ├── MissingExtra              a feature needs a library that is not installed
    └── InsightsError             a provider failed; the pipeline falls back on it

`code` is the word clients match on, `status` its HTTP status, `retryable` whether the same request
may succeed later. Each is mapped to a response in one place per transport.
"""


class EchoStreamError(Exception):
    """Root of all errors a client may see. `str(error)` is a sentence fit for the client."""

    code = "process_failed"
    status = 500
    retryable = False

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class InvalidRequest(EchoStreamError):
    code = "invalid_request"
    status = 422


class MissingAudio(InvalidRequest):
    """Nothing to transcribe. `code` depends on the endpoint, as clients expect."""

    code = "missing_audioUrl_or_audio"
    status = 400


class MissingAudioOrTranscript(MissingAudio):
    code = "missing_audio_or_transcript"


class Unauthorized(EchoStreamError):
    code = "unauthorized"
    status = 401


class AudioError(EchoStreamError):
    code = "invalid_audio"
    status = 422


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


class UrlFetchFailed(FetchError):
    retryable = True


class LiveError(EchoStreamError):
    code = "invalid_request"
    status = 422


class TooFast(LiveError):
    code = "too_fast"
    status = 429
    retryable = True


class AudioIdTaken(LiveError):
    code = "audio_id_taken"
    status = 409


class ResumeFailed(LiveError):
    """Says the same for both, so that nobody learns which ids there are."""

    code = "resume_failed"
    status = 404


class ServerBusy(EchoStreamError):
    code = "server_busy"
    status = 503
    retryable = True


class QueueUnavailable(EchoStreamError):
    code = "queue_unavailable"
    status = 503
    retryable = True


class ModelNotFound(EchoStreamError):
    code = "model_not_found"
    status = 404


class JobNotFound(EchoStreamError):
    code = "job_not_found"
    status = 404


class EngineError(EchoStreamError):
    code = "process_failed"
    status = 500
    retryable = True


class ModelUnavailable(EngineError):
    code = "model_unavailable"
    status = 503


class EngineRestarted(EngineError):
    code = "engine_restarted"
    status = 503


class StorageFull(EchoStreamError):
    code = "storage_full"
    status = 507
    retryable = True


class StorageUnavailable(EchoStreamError):
    """The storage does not answer, or refuses."""

    code = "storage_unavailable"
    status = 503
    retryable = True


class StagedAudioMissing(EchoStreamError):
    """A job's audio is not in the storage, so the job can never succeed."""

    code = "staged_audio_missing"
    status = 410


class Cancelled(EchoStreamError):
    code = "cancelled"
    status = 499


class MissingExtra(EchoStreamError):
    """The message names the extra that brings the library. Told when a program starts, rather than
    to those who ask it for something."""

    code = "not_installed"
    status = 501


class InsightsError(EchoStreamError):
    """A provider gave no usable insights; never reaches a client, the pipeline degrades instead."""

    code = "insights_failed"
    status = 502


class WebhookFailed(EchoStreamError):
    """One attempt failed; never reaches a client. `retryable` and `retry_after_s` say what next.

    `answer_status` is the HTTP status of the receiver, None if it gave none.
    """

    code = "webhook_failed"
    status = 502

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        retry_after_s: float | None = None,
        answer_status: int | None = None,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.retryable = retryable
        self.answer_status = answer_status
