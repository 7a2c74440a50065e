"""Record speech that the tiny Whisper was not trained on, for the tests that measure it.

    python make_unseen.py ../tests/data

writes `unseen.ogg` (four minutes of Opus, several voices) and `unseen.json`, with its sentences
and words and their times in seconds, from flite's phone durations.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
from evaluate_tiny_whisper import RATE, Speech, make_speech

SEED = 20_261_123
SECONDS = 240.0
BIT_RATE = "32k"


def main() -> None:
    folder = Path(sys.argv[1])
    speech = make_speech(random.Random(SEED), SECONDS, one_voice=False)
    write_ogg(speech, folder / "unseen.ogg")
    facts = {"sentences": rounded(speech.sentences), "words": rounded(speech.words)}
    (folder / "unseen.json").write_text(json.dumps(facts, indent=0) + "\n", encoding="utf-8")


def rounded(spans: list[tuple[str, float, float]]) -> list[list[str | float]]:
    """Returns `[text, start_s, end_s]` for each span."""
    return [[text, round(start, 3), round(end, 3)] for text, start, end in spans]


def write_ogg(speech: Speech, target: Path) -> None:
    pcm = (np.clip(speech.sound, -1, 1) * 32767).astype("<i2").tobytes()
    source = ["-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "pipe:0"]
    coded = ["-c:a", "libopus", "-b:a", BIT_RATE, str(target)]
    subprocess.run(["ffmpeg", "-y", "-loglevel", "error", *source, *coded], input=pcm, check=True)


if __name__ == "__main__":
    main()
