"""The speech engine, its models, and who speaks."""

from typing import Literal

from pydantic import Field

from echostream.settings.group import CommaSeparated, SettingsGroup


class SpeechSettings(SettingsGroup):
    """Speech."""

    asr_engine: Literal["auto", "whisper", "pocketsphinx"] = "auto"
    """Speech engine. `auto`: Whisper if its model is available, else pocketsphinx and a warning."""

    whisper_model: str = "base"
    """A faster-whisper size, a Hugging Face Hub id, or a folder with a CTranslate2 model."""

    whisper_models: CommaSeparated = ()
    """Further models that a request may name in `model`, separated by commas and each written as in
    `WHISPER_MODEL`. A folder goes by its last part."""

    model_idle_s: float = Field(900.0, gt=0)
    """How long one of `WHISPER_MODELS`, or the language model of this machine, stays in memory
    unused. `WHISPER_MODEL` always stays."""

    whisper_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where Whisper runs."""

    whisper_compute_type: str = "default"
    """CTranslate2 quantisation, for instance `int8` or `float32`; `default` is `int8` on a CPU and
    `float16` on a GPU."""

    whisper_cpu_threads: int = Field(0, ge=0)
    """Threads of one transcription on the CPU. 0: one for each CPU."""

    whisper_batch_size: int | None = Field(None, ge=1, le=64)
    """Windows of up to 30 s that Whisper decodes at once when transcribing a file. Unset: chosen by
    CPUs and free memory."""

    model_fetch_timeout_s: float = Field(5.0, gt=0)
    """How long `ASR_ENGINE=auto` tries to reach the model hub before it uses pocketsphinx."""

    vocabulary: CommaSeparated = ()
    """Names and terms that are likely to be said in any recording, separated by commas."""

    diarize: bool = False
    """Tell who speaks in every recording, unless the request says otherwise."""

    diarization_model: str | None = None
    """A folder with the models that tell speakers apart: `*segmentation*.onnx` (pyannote 3.0) and
    `*campplus*.onnx`. Unset: those that come with EchoStream."""

    diarization_timeout_s: float = Field(120.0, gt=0)
    """How long telling the speakers apart may take; for audio that is longer than this, as long as
    the audio. After that the transcript comes without speakers."""

    @property
    def other_models(self) -> tuple[str, ...]:
        """Those that may be asked for beside the default."""
        return tuple(
            dict.fromkeys(name for name in self.whisper_models if name != self.whisper_model)
        )
