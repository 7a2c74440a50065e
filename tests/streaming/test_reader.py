import numpy as np

from echostream.domain import SAMPLE_RATE_HZ
from echostream.engine.vad import FRAME_SAMPLES
from echostream.streaming.reader import SpeechReader

FRAMES_PER_S = SAMPLE_RATE_HZ / FRAME_SAMPLES


def hear(reader: SpeechReader, seconds: float, *, is_speech: bool) -> None:
    frames = round(seconds * FRAMES_PER_S)
    reader.speech.append(np.zeros(frames * FRAME_SAMPLES, np.int16))
    reader.speech.look([float(is_speech)] * frames)


def test_a_pause_is_not_read_before_it_is_clear_what_it_is() -> None:
    """The last reading of an utterance confirms everything, so one just before it is in vain."""
    reader = SpeechReader()
    hear(reader, 2, is_speech=True)
    assert reader.window(1.0) is not None
    hear(reader, 0.3, is_speech=False)
    assert reader.window(1.0) is None
    hear(reader, 0.1, is_speech=True)
    window = reader.window(1.0)
    assert window is not None
    assert not window.is_final, "it goes on"
    hear(reader, 0.7, is_speech=False)
    window = reader.window(1.0)
    assert window is not None
    assert window.is_final


def test_breaths_delay_nothing() -> None:
    reader = SpeechReader()
    hear(reader, 2, is_speech=True)
    hear(reader, 0.15, is_speech=False)
    assert reader.window(1.0) is not None
