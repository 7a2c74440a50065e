"""Speak a short made-up meeting with flite: meeting.wav, meeting.txt and meeting.json.

Needs only the standard library and the ``flite`` program (Debian's ``flite`` package).
The result is the same on every run: ``python tools/make_meeting.py [folder]``.
"""

from __future__ import annotations

import array
import json
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

RATE = 16_000
SAMPLES = Path(__file__).resolve().parents[1] / "samples"
VOICES = {"Maria": "slt", "David": "rms", "Michael": "awb"}
PAUSES = (0.6, 0.75, 0.5, 0.65, 0.45, 0.7, 0.55, 0.8)  # seconds between turns, in rotation
EDGE = 0.3  # seconds of silence before the first turn and after the last

TURNS = (
    ("Maria", "Thank you for joining the meeting. Let us start with the budget."),
    (
        "David",
        "The budget for the mobile app is almost finished. "
        "We have spent seventy percent of the budget.",
    ),
    (
        "Michael",
        "The customer survey is complete. "
        "Most customers want the mobile app before the end of the year.",
    ),
    ("Maria", "When will the mobile app be ready for release?"),
    (
        "David",
        "The security audit is the main problem. "
        "We cannot release the mobile app before the security audit.",
    ),
    ("Michael", "The security audit found seven problems."),
    (
        "David",
        "We agreed to move the release of the mobile app to the first week of March. "
        "We agreed to increase the budget for the security audit.",
    ),
    ("Michael", "David will finish the security audit by the end of next week."),
    ("David", "Maria will send the quarterly report to the client by Friday."),
    ("Michael", "Maria will share the customer survey with the marketing team on Monday."),
    ("Maria", "We decided to hire three new engineers."),
    ("David", "Michael will update the job description by Wednesday."),
    ("Michael", "The next meeting is on Thursday morning. Thank you for your time."),
)
ACTION_ITEMS = (
    "David finish security audit end of next week",
    "Maria send quarterly report client Friday",
    "Maria share customer survey marketing team Monday",
    "Michael update job description Wednesday",
)
DECISIONS = (
    "move release of the mobile app to the first week of March",
    "increase budget for the security audit",
    "hire three new engineers",
)
TOPICS = ("security audit", "mobile app", "budget", "customer survey")


def speak(text: str, voice: str) -> tuple[array.array, float, float]:
    """Returns 16-bit samples of ``text`` and where speech starts and ends in them (seconds)."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "turn.wav")
        command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", path]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        with wave.open(path) as reader:
            if (reader.getframerate(), reader.getnchannels()) != (RATE, 1):
                raise ValueError(f"flite's voice {voice} does not speak 16 kHz mono")
            samples = array.array("h", reader.readframes(reader.getnframes()))
    ends = [(name, float(end)) for name, _, end in (item.partition(":") for item in out.split())]
    spoken = [place for place, (name, _) in enumerate(ends) if name != "pau"]
    start = ends[spoken[0] - 1][1] if spoken[0] else 0.0
    return samples, start, ends[spoken[-1]][1]


def main() -> None:
    """Writes the three files into the given folder, or into `samples/`."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    sound, turns = array.array("h", bytes(2 * round(EDGE * RATE))), []
    for number, (speaker, text) in enumerate(TURNS):
        samples, start, end = speak(text, VOICES[speaker])
        at = len(sound) / RATE
        turns.append(
            {
                "speaker": speaker,
                "voice": VOICES[speaker],
                "start_s": round(at, 3),
                "end_s": round(at + end - start, 3),
                "text": text,
            }
        )
        # Cut off flite's silence around the turn, so that only the pauses above remain.
        sound += samples[round(start * RATE) : round(end * RATE)]
        pause = EDGE if number == len(TURNS) - 1 else PAUSES[number % len(PAUSES)]
        sound += array.array("h", bytes(2 * round(pause * RATE)))
    with wave.open(str(folder / "meeting.wav"), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(sound.tobytes())
    (folder / "meeting.txt").write_text("".join(text + "\n" for _, text in TURNS))
    facts = {
        "turns": turns,
        "action_items": list(ACTION_ITEMS),
        "decisions": list(DECISIONS),
        "topics": list(TOPICS),
    }
    (folder / "meeting.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
