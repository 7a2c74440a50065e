"""Meeting speech over a small vocabulary: random sentences and their flite recordings.

The sentences come from a grammar of about 250 words that covers ``samples/meeting.txt``. The
recordings have exact word times, from flite's phone durations. A pool of recordings is made once,
as linear mel power per 10 ms frame; clips are then mixed from it in memory.

``python meeting_corpus.py --count 20`` prints sentences that the model can read. Write new test
speech with these words and sentence forms, in flite's voices slt, rms, awb or kal16.
"""

from __future__ import annotations

import argparse
import functools
import pickle
import random
import re
import subprocess
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000
HOP = 160  # samples per mel frame, Whisper's 10 ms
VOICES = ("slt", "rms", "awb", "kal16")
VOICE_SHARES = (0.30, 0.30, 0.30, 0.10)
VOICE_PITCH = {"slt": 180, "rms": 100, "awb": 115, "kal16": 105}  # usual f0 in Hz

NAMES = ("Sarah", "David", "Michael", "Maria", "Robert", "Emma")
PEOPLE = (
    *NAMES,
    "the team",
    "the client",
    "the manager",
    "the engineer",
    "the design team",
    "the marketing team",
    "the sales team",
    "the customer",
    "the director",
)
PRONOUNS = ("we", "I", "you", "they")
THINGS = (
    "the budget",
    "the project plan",
    "the design document",
    "the quarterly report",
    "the new website",
    "the website",
    "the release",
    "the release schedule",
    "the customer survey",
    "the marketing campaign",
    "the security audit",
    "the hiring plan",
    "the database",
    "the mobile app",
    "the contract",
    "the meeting notes",
    "the test results",
    "the invoice",
    "the training session",
    "the job description",
    "the new feature",
    "the presentation",
    "the office",
    "the sales numbers",
    "the server",
    "the schedule",
    "the price",
    "the problem",
    "the new engineer",
)
VERBS = (
    "review",
    "finish",
    "update",
    "prepare",
    "send",
    "approve",
    "discuss",
    "test",
    "schedule",
    "change",
    "start",
    "fix",
    "share",
    "write",
    "check",
    "improve",
    "present",
    "cancel",
    "plan",
    "explain",
    "release",
    "sign",
    "read",
    "move",
)
MODALS = (
    "will",
    "must",
    "should",
    "can",
    "cannot",
    "need to",
    "have to",
    "want to",
    "plan to",
    "agreed to",
    "decided to",
    "would like to",
)
WHEN = (
    "today",
    "tomorrow",
    "yesterday",
    "on Monday",
    "on Tuesday",
    "on Wednesday",
    "on Thursday",
    "on Friday",
    "by Monday",
    "by Tuesday",
    "by Wednesday",
    "by Thursday",
    "by Friday",
    "next week",
    "next month",
    "this week",
    "this month",
    "this afternoon",
    "after lunch",
    "in the morning",
    "in January",
    "in March",
    "in June",
    "before the deadline",
    "by the end of the week",
    "by the end of next week",
    "by the end of the month",
    "by the end of the year",
    "before the end of the year",
    "before the release",
    "in the first week of March",
    "in the second week of June",
    "as soon as possible",
)
NUMBERS = (
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
)
COUNTED = (
    "items",
    "problems",
    "customers",
    "engineers",
    "people",
    "days",
    "weeks",
    "reports",
    "features",
    "questions",
)
STATES = (
    "ready",
    "complete",
    "almost finished",
    "finished",
    "too slow",
    "very slow",
    "very good",
    "late",
    "too expensive",
    "much better",
    "not ready",
    "on time",
    "behind schedule",
    "the main problem",
    "very important",
    "ready for release",
)
# Impossible to distinguish without a sentence around them.
HOMOPHONES = frozenset(("to", "too", "two", "for", "four", "by", "a"))
FIXED = (
    "Great work everyone.",
    "Thank you for joining the meeting.",
    "Let us get started.",
    "That is a problem.",
    "I agree with you.",
    "Are there any questions?",
    "The results look good.",
    "Customers love the new feature.",
    "We are behind schedule.",
    "That sounds perfect.",
    "Please take notes.",
    "That is good news.",
    "That is bad news.",
    "Thank you for your time.",
    "Good morning everyone.",
    "What is the next step?",
    "I have a question.",
    "We have a plan.",
    "Yes, I think so.",
    "No, not yet.",
    "I do not agree.",
    "That is a good idea.",
    "Let us move on.",
    "Can you hear me?",
    "How are we doing?",
    "The meeting is over.",
    "See you next week.",
    "I am not sure.",
    "We are on time.",
    "Let us talk about this later.",
)


def _cap(text: str) -> str:
    """Returns ``text`` with a capital first letter."""
    return text[0].upper() + text[1:]


def _lone_words(rng: random.Random) -> str:
    """Words without context, so that the model learns each by its sound."""
    if rng.random() < 0.4:
        return " ".join(rng.choice(NUMBERS) for _ in range(rng.randint(1, 5))) + "."
    lone = [word for word in vocabulary() if word not in HOMOPHONES]
    return " ".join(rng.choice(lone) for _ in range(rng.randint(1, 6))) + "."


def _task(rng: random.Random) -> str:
    """Somebody will, must or agreed to do something by some day."""
    pick = rng.choice
    who = pick(PEOPLE + PRONOUNS * 3)
    modal = pick(MODALS if who in PRONOUNS else MODALS[:5])
    when = "" if rng.random() < 0.3 else " " + pick(WHEN)
    deed = f"{pick(VERBS)} {pick(THINGS)}"
    named = f"{pick(NAMES)} {pick(('will', 'must', 'should', 'needs to'))} {deed}"
    kind = rng.random()
    if kind < 0.5:
        return f"{who} {modal} {deed}{when}."
    if kind < 0.7:
        return f"{named} {pick(('with', 'for', 'to'))} {pick(PEOPLE)}{when}."
    return f"{named}{when}." if kind < 0.83 else f"{who} {modal} {deed} and {pick(THINGS)}."


def _state(rng: random.Random) -> str:
    """How something is, and how much of it there is."""
    pick = rng.choice
    thing, number = pick(THINGS), pick(NUMBERS)
    got = pick(("have", "need", "found", "agreed to hire", "decided to hire"))
    when = "" if rng.random() < 0.7 else " " + pick(WHEN)
    is_ = pick(("is", "was", "will be", "is not", "must be"))
    return pick(
        (
            f"{thing} {is_} {pick(STATES)}{when}.",
            f"{thing} {is_} {pick(STATES)}{when}.",
            f"{thing} for {pick(THINGS)} is {pick(STATES)}.",
            f"we have spent {number} percent of {thing}.",
            f"sales are {pick(('up', 'down'))} {number} percent {pick(WHEN)}.",
            f"costs went {pick(('up', 'down'))} by {number} percent.",
            f"we {got} {number} {pick(('', 'new '))}{pick(COUNTED)}.",
            f"{thing} found {number} {pick(COUNTED)}.",
            f"{pick(NAMES)} is {pick(('happy with', 'worried about', 'working on'))} {thing}.",
        )
    )


def _question(rng: random.Random) -> str:
    """A question."""
    pick = rng.choice
    thing, state = pick(THINGS), pick((*STATES[:4], "ready for release"))
    when = "" if rng.random() < 0.3 else " " + pick(WHEN)
    return pick(
        (
            f"when will {thing} be {state}?",
            f"can {pick(('we', 'you', 'they'))} {pick(VERBS)} {thing} {pick(WHEN)}?",
            f"who will {pick(VERBS)} {thing}?",
            f"what did {thing} say about {pick(THINGS)}?",
            f"how much money is left in {thing}?",
            f"what do you think about {thing}?",
            f"is {thing} {state}?",
            f"should we {pick(VERBS)} {thing}{when}?",
        )
    )


def _talk(rng: random.Random) -> str:
    """Common phrases, and what customers think."""
    pick = rng.choice
    thing, verb, when = pick(THINGS), pick(VERBS), pick(WHEN)
    wish = pick(("want", "like", "are happy with", "are worried about", "love"))
    return pick(
        (
            f"let us {pick(('start with', 'talk about', 'discuss', 'look at'))} {thing}.",
            f"{thing} shows that {pick(('most ', ''))}{pick(('people', 'customers'))} "
            f"{pick(('like', 'love', 'want', 'need'))} {pick(THINGS)}.",
            f"{pick(('most customers', 'customers', 'people'))} {wish} {thing} {when}.",
            f"{pick(('most customers', 'customers', 'people'))} {wish} {thing}.",
            f"thank you {pick(NAMES)}.",
            f"please {verb} {thing}{pick(('', ' ' + when))}.",
            f"the next {pick(('meeting', 'release', 'audit', 'survey'))} is {when}"
            f"{pick(('', ' morning', ' afternoon'))}.",
            f"{pick(('good morning', 'hello', 'welcome'))} {pick(NAMES)}.",
            f"{when} we {pick(('will', 'must', 'can'))} {verb} {thing}.",
        )
    )


def _decision(rng: random.Random) -> str:
    """What was agreed, and what prevents it."""
    pick = rng.choice
    thing, other = pick(THINGS), pick(THINGS)
    until = pick(("next week", "next month", "the first week of March", "June"))
    return pick(
        (
            f"we {pick(('agreed', 'decided', 'need', 'want'))} to move {thing} "
            f"{pick(('of', 'for', 'after', 'before'))} {other} to {until}.",
            f"we {pick(('cannot', 'should not', 'will', 'can'))} {pick(VERBS)} {thing} "
            f"{pick(('before', 'after', 'without', 'because of'))} {other}.",
            f"we agreed to {pick(('increase', 'cut', 'keep'))} the budget for {thing}.",
        )
    )


def sentence(rng: random.Random) -> str:
    """Returns a random sentence with a capital first letter and a full stop or question mark."""
    kinds = (_task, _state, _question, _talk, _decision, _lone_words)
    if rng.random() < 0.09:
        return rng.choice(FIXED)
    return _cap(rng.choices(kinds, (31, 19, 10, 11, 13, 12))[0](rng))


def words_of(text: str) -> list[str]:
    """Returns the words of ``text`` in lower case, without punctuation."""
    return re.findall(r"[a-z']+", text.lower())


@functools.cache
def vocabulary() -> tuple[str, ...]:
    """Returns every word of the grammar (names and weekdays keep their capital)."""
    rng, found = random.Random(0), {}
    parts = [PEOPLE, PRONOUNS, THINGS, VERBS, MODALS, WHEN, NUMBERS, COUNTED, STATES, FIXED]
    extra = (
        "needs to with for to is was will be not must spent percent of have sales are up "
        "down costs went by found hire new when can who did say about how much money left in "
        "what do think start talk look at shows that most people customers like love want "
        "happy worried working on please next meeting audit survey afternoon good morning "
        "hello welcome increase cut keep agreed decided need after before without because "
        "first second week"
    )
    for text in [item for part in parts for item in part] + [extra]:
        inner = text.split()
        for place, word in enumerate(inner):
            bare = word.strip(".,?")
            if place == 0 and text in FIXED and bare != "I":
                bare = bare.lower()
            found.setdefault(bare, None)
    words = list(found)
    rng.shuffle(words)
    return tuple(words)


@dataclass
class Recording:
    """One spoken sentence.

    ``power``: float16 array (frames, 80), log10 of linear mel power per 10 ms frame.
    ``phones``: (name, start s, end s) each, including pauses.
    ``words``: (word in lower case, start s, end s) each.
    """

    text: str
    voice: str
    power: np.ndarray
    phones: list[tuple[str, float, float]]
    words: list[tuple[str, float, float]]

    @property
    def start(self) -> float:
        """Where speech starts, in seconds."""
        return self.words[0][1]

    @property
    def end(self) -> float:
        """Where speech ends, in seconds."""
        return self.words[-1][2]


def speak(
    text: str,
    voice: str,
    stretch: float = 1.0,
    pitch: float | None = None,
) -> tuple[np.ndarray, list[tuple[str, float, float]]]:
    """Returns flite's float32 samples at 16 kHz, and phones as (name, start s, end s)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.3f}"]
        if pitch is not None:
            command += ["--setf", f"int_f0_target_mean={pitch:.1f}"]
        command += ["-psdur", "-t", text, "-o", str(path)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        with wave.open(str(path)) as reader:
            if reader.getframerate() != SAMPLE_RATE:
                raise ValueError(f"voice {voice} speaks at {reader.getframerate()} Hz")
            pcm = np.frombuffer(reader.readframes(reader.getnframes()), dtype="<i2")
    phones, start = [], 0.0
    for item in out.split():
        name, _, end = item.partition(":")
        phones.append((name, start, float(end)))
        start = float(end)
    return pcm.astype(np.float32) / 32768.0, phones


@functools.cache
def phone_count(word: str, voice: str) -> int:
    """Returns the number of phones that flite uses for ``word`` alone."""
    return sum(name != "pau" for name, _, _ in speak(word, voice)[1])


def word_times(
    text: str,
    voice: str,
    phones: list[tuple[str, float, float]],
) -> list[tuple[str, float, float]] | None:
    """Returns (word, start s, end s) of ``text``; None if flite said a word differently."""
    spoken = [phone for phone in phones if phone[0] != "pau"]
    words = words_of(text)
    counts = [phone_count(word, voice) for word in words]
    if sum(counts) != len(spoken):
        return None
    times, place = [], 0
    for word, count in zip(words, counts, strict=True):
        times.append((word, spoken[place][1], spoken[place + count - 1][2]))
        place += count
    return times


@functools.cache
def _extractor():
    """Returns faster-whisper's own mel filters and STFT."""
    from faster_whisper.feature_extractor import FeatureExtractor

    return FeatureExtractor()


def mel_power(samples: np.ndarray) -> np.ndarray:
    """Returns linear mel power, float32 (frames, 80), as in faster-whisper before the log."""
    fe = _extractor()
    window = np.hanning(fe.n_fft + 1)[:-1].astype(np.float32)
    spectrum = fe.stft(samples, fe.n_fft, fe.hop_length, window=window, return_complex=True)
    return (fe.mel_filters @ (np.abs(spectrum[..., :-1]) ** 2)).T.astype(np.float32)


def record(text: str, voice: str, stretch: float, pitch: float) -> Recording | None:
    """Returns ``text`` as a Recording, or None if its word times are unknown."""
    samples, phones = speak(text, voice, stretch, pitch)
    words = word_times(text, voice, phones)
    if not words:
        return None
    power = np.log10(np.maximum(mel_power(samples), 1e-10)).astype(np.float16)
    return Recording(text, voice, power, phones, words)


def draw_manner(rng: random.Random) -> tuple[str, float, float]:
    """Returns a random voice, duration stretch and mean pitch (Hz)."""
    voice = rng.choices(VOICES, VOICE_SHARES)[0]
    return voice, rng.uniform(0.85, 1.25), VOICE_PITCH[voice] * rng.uniform(0.9, 1.12)


def make_pool(count: int, seed: int, workers: int = 2) -> list[Recording]:
    """Records ``count`` random sentences, once each."""
    rng = random.Random(seed)
    jobs = [(sentence(rng), *draw_manner(rng)) for _ in range(count)]
    with ThreadPoolExecutor(workers) as threads:
        made = threads.map(lambda job: record(*job), jobs)
        return [recording for recording in made if recording is not None]


def save_pool(pool: list[Recording], path: Path) -> None:
    """Writes ``pool`` as a pickle of plain fields."""
    path.write_bytes(pickle.dumps([vars(item) for item in pool]))


def read_pool(path: Path) -> list[Recording]:
    """Reads a file of ``save_pool``. Read only your own files: a pickle can run code."""
    fields = pickle.loads(path.read_bytes())  # noqa: S301
    return [Recording(**item) for item in fields]


def main() -> None:
    """Writes a pool of recordings as a pickle, or prints sentences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="pickle to write; without it, print sentences")
    args = parser.parse_args()
    if args.out is None:
        rng = random.Random(args.seed)
        print("\n".join(sentence(rng) for _ in range(args.count)))
        return
    pool = make_pool(args.count, args.seed)
    save_pool(pool, args.out)
    seconds = sum(len(item.power) for item in pool) / 100
    print(f"{len(pool)} of {args.count} sentences, {seconds / 60:.0f} minutes")


if __name__ == "__main__":
    main()
