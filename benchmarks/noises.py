"""Generated clips without words, whose transcripts should be empty.

Every clip is the same on every run. If a model hears words in one, it made them up.

    python -m benchmarks.noises --write DIR
"""

import argparse
import wave
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import everyday, music, signals, voicelike
from benchmarks.synth import (
    RATE_HZ,
    Rng,
    Sound,
    add,
    at_dbfs,
    band,
    length,
    lossy,
    noise,
    pcm16,
    peaked,
    rms_dbfs,
    telephone,
)

Maker = Callable[[Rng, float], Sound]

_SHORTEST_S, _LONGEST_S = 5, 30


@dataclass(frozen=True, slots=True)
class Clip:
    """`samples` is 5 to 30 s of mono audio at 16 kHz."""

    name: str
    kind: str
    samples: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A clip to make. `loud` is its level in dBFS (root mean square); None keeps the level that
    `make` gives."""

    kind: str
    name: str
    make: Maker
    loud: float | None = -24


def clips() -> Iterator[Clip]:
    """Yields all clips, made one at a time, because together they need about 70 MB."""
    for entry in _catalogue():
        # The name is the random seed, so that a new clip does not change the others.
        rng = np.random.default_rng(zlib.crc32(entry.name.encode()))
        seconds = float(rng.integers(_SHORTEST_S, _LONGEST_S + 1))
        sound = entry.make(rng, seconds)
        if entry.loud is not None:
            sound = at_dbfs(sound, entry.loud)
            # Knocks and clicks would clip at that level, so they get the highest possible level.
            if np.abs(sound).max() > 0.98:
                sound = 0.98 * peaked(sound)
        yield Clip(entry.name, entry.kind, pcm16(sound))


def _catalogue() -> Iterator[_Entry]:
    yield from _silence()
    yield from _noise()
    yield from _hold_music()
    for kind, makers in _EVERYDAY.items():
        for make in makers:
            name = make.__name__.replace("_", "-")
            yield _Entry(kind, name, make)
            yield _Entry(kind, f"{name}-far", partial(_in_a_room, make), -40)
    yield from _signals()


def _silence() -> Iterator[_Entry]:
    yield _Entry("silence", "digital-zero", lambda _rng, seconds: np.zeros(length(seconds)), None)
    yield _Entry("silence", "one-bit", signals.one_bit, None)
    for offset in (0.02, 0.3):
        yield _Entry("silence", f"dc-{offset}", partial(signals.dc_offset, offset=offset), None)


def _noise() -> Iterator[_Entry]:
    for slope, colour in enumerate(("white", "pink", "brown")):
        for loud in (-60, -45, -30, -15):
            yield _Entry("noise", f"{colour}{loud}dB", partial(noise, slope=slope), loud)
    yield _Entry("noise", "clipped", signals.clipped_noise, -12)
    yield _Entry("noise", "telephone-line", lambda rng, s: telephone(noise(rng, s, 1)), -40)
    for hz in (50, 60):
        for loud in (-45, -25):
            yield _Entry("hum", f"hum-{hz}Hz{loud}dB", partial(signals.hum, hz=hz), loud)


def _hold_music() -> Iterator[_Entry]:
    for number, (name, make) in enumerate(music.pieces()):
        yield _Entry("music", name, make, -20)
        # The same music as a caller hears it; every second one also at a low bit rate.
        heard = partial(_on_the_line, make, poor=bool(number % 2))
        yield _Entry("music on a line", f"{name}-line", heard, -22)


def _on_the_line(make: Maker, rng: Rng, seconds: float, *, poor: bool) -> Sound:
    sound = peaked(make(rng, seconds))
    return telephone(lossy(sound) if poor else sound) + 0.003 * noise(rng, seconds)


def _in_a_room(make: Maker, rng: Rng, seconds: float) -> Sound:
    """Heard across a room: dull, with echoes and the noise of the room."""
    near = peaked(make(rng, seconds))
    tail = noise(rng, 0.4) * 0.5 ** (np.arange(length(0.4)) / length(0.06))
    size = len(near) + len(tail)
    echoes = np.fft.irfft(np.fft.rfft(near, size) * np.fft.rfft(tail, size), size)[: len(near)]
    far = peaked(band(0.3 * near + peaked(echoes), 60, 5000))
    return at_dbfs(far, -20) + at_dbfs(noise(rng, seconds, 1), -44)


_EVERYDAY: dict[str, tuple[Maker, ...]] = {
    "people": (
        everyday.breathing,
        everyday.panting,
        everyday.snoring,
        everyday.coughing,
        everyday.sneezing,
    ),
    "applause": (everyday.applause, everyday.swelling_applause, everyday.few_claps),
    "room": (
        everyday.typing,
        everyday.mouse_clicks,
        everyday.paper,
        everyday.footsteps,
        everyday.knocks,
        everyday.chair,
        everyday.dishes,
    ),
    "outside": (
        everyday.wind,
        everyday.rain,
        everyday.thunder,
        everyday.waves,
        everyday.traffic,
        everyday.train,
    ),
    "machine": (
        everyday.engine,
        everyday.fan,
        everyday.vacuum,
        everyday.drill,
        everyday.helicopter,
    ),
    "animals": (everyday.birds, everyday.crickets, everyday.dog),
    "microphone": (everyday.bumps, everyday.blowing),
    "near to a voice": voicelike.SOUNDS,
}


def _signals() -> Iterator[_Entry]:
    """Tones of telephones and alarms, clear and with line noise."""
    for make in signals.TONES:
        name = make.__name__.replace("_", "-")
        yield _Entry("tones", name, make, -18)
        yield _Entry("tones", f"{name}-line", partial(_on_the_line, make, poor=False), -24)
    for make in (signals.crackling_line, signals.dropouts, signals.sweep):
        yield _Entry("line faults", make.__name__.replace("_", "-"), make, -26)


def speech_over_music(
    speech: NDArray[np.int16], *, snr_db: float = 10.0, piece: str = "band-bright"
) -> NDArray[np.int16]:
    """Mixes music under all of the speech. `snr_db` is the difference between the two levels; the
    speech is measured where somebody speaks."""
    voice = speech.astype(np.float64) / 32768
    rng = np.random.default_rng(zlib.crc32(piece.encode()))
    tune = dict(music.pieces())[piece](rng, _LONGEST_S)
    under = np.zeros(len(voice))
    for at_s in np.arange(0, len(voice) / RATE_HZ, _LONGEST_S):
        add(under, float(at_s), tune)
    return pcm16(_without_clipping(voice + at_dbfs(under, _spoken_dbfs(voice) - snr_db)))


def _spoken_dbfs(voice: Sound) -> float:
    """Returns the level of the louder half of all 20 ms frames that are not silent."""
    frame = length(0.02)
    frames = voice[: len(voice) // frame * frame].reshape(-1, frame)
    power = np.sort(np.mean(frames**2, axis=1))
    spoken = power[power > power[-1] * 1e-4]
    return rms_dbfs(np.sqrt(spoken))


def _without_clipping(sound: Sound) -> Sound:
    return sound if np.abs(sound).max() < 1 else 0.98 * peaked(sound)


def save(path: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, required=True, help="folder for the WAV files")
    args = parser.parse_args()
    args.write.mkdir(parents=True, exist_ok=True)
    for clip in clips():
        save(args.write / f"{clip.kind.replace(' ', '-')}-{clip.name}.wav", clip.samples)


if __name__ == "__main__":
    main()
