"""Windows to words: what is left out is read again, languages switch, hints do not leak."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echostream.domain import SAMPLE_RATE_HZ, Segment, TranscribeOptions, joined
from echostream.engine import Report
from echostream.engine.segments import Segmenter
from echostream.engine.vad import Region
from echostream.engine.whisper.decoder import Reading
from echostream.engine.whisper.reading import RecordingReader
from echostream.engine.whisper.words import SpokenWord
from echostream.engine.windows import Window, windows
from engine.decoders import EarlyDecoder, Said, ScriptedDecoder, numbered


def region(start_s: float, end_s: float) -> Region:
    return Region(int(start_s * SAMPLE_RATE_HZ), int(end_s * SAMPLE_RATE_HZ))


def sentences(count: int, *, start_s: float = 1.0, step_s: float = 2.5) -> list[Said]:
    """One word each, said for two seconds, with a pause after it."""
    return [
        Said(f"{name(number)}.", start_s + number * step_s, start_s + number * step_s + 2.0)
        for number in range(count)
    ]


def name(number: int) -> str:
    return f"Sentence{number}"


def speech_of(script: list[Said]) -> list[Region]:
    return [region(each.start_s, each.end_s) for each in script]


def read(
    decoder,
    seconds: float,
    speech: list[Region],
    options: TranscribeOptions = TranscribeOptions(),  # noqa: B008
) -> tuple[list[Segment], Report]:
    samples, report = numbered(seconds), Report()
    reader = RecordingReader(decoder, samples, options, report)
    segmenter = Segmenter(seconds)
    segments: list[Segment] = []
    for window in windows(speech, len(samples)):
        segments += segmenter.add(reader.read([window]))
    return [*segments, *segmenter.close()], report


def test_all_is_read_once_where_nothing_is_left_out():
    script = sentences(20)
    decoder = ScriptedDecoder(script)
    segments, report = read(decoder, 60, speech_of(script))
    assert joined(segments) == " ".join(each.text for each in script)
    assert len(decoder.calls) == 2
    assert report.warnings == []


def test_windows_that_end_early_lose_nothing():
    script = sentences(20)
    segments, report = read(EarlyDecoder(ScriptedDecoder(script)), 60, speech_of(script))
    assert joined(segments) == " ".join(each.text for each in script)
    assert report.warnings == []
    for segment, said in zip(segments, script, strict=True):
        assert abs(segment.start_s - said.start_s) < 0.1


def skipping(script: list[Said], left_out: set[str], *, also_of: int) -> ScriptedDecoder:
    """Leaves these out of the first window, and the first of them out of any window with more than
    `also_of` sentences."""

    class Skipping(ScriptedDecoder):
        def reading(self, places, language, ask):
            found = super().reading(places, language, ask)
            drop = left_out if len(self.calls) == 1 else set()
            if len(found.words) > also_of:
                drop = drop | {min(left_out)}
            return replace(
                found, words=tuple(each for each in found.words if each.text not in drop)
            )

    return Skipping(script)


def test_a_sentence_left_out_in_the_middle_is_read_alone():
    script = sentences(6)
    decoder = skipping(script, {f"{name(2)}."}, also_of=1)
    segments, _report = read(decoder, 20, speech_of(script))
    assert joined(segments) == " ".join(each.text for each in script)
    assert len(decoder.calls) == 2


def test_neighbours_that_were_left_out_are_read_together():
    script = sentences(8)
    decoder = skipping(script, {f"{name(number)}." for number in (2, 3, 4, 6)}, also_of=8)
    segments, report = read(decoder, 25, speech_of(script))
    assert joined(segments) == " ".join(each.text for each in script)
    assert len(decoder.calls) == 3
    assert report.warnings == []


class HastyDecoder(ScriptedDecoder):
    """Without padding it says `doubted` three times more, in no time."""

    doubted = ""

    def encode(self, audios, *, padded):
        return [replace(each, padded=padded) for each in super().encode(audios, padded=padded)]

    def decode(self, requests):
        found = super().decode(requests)
        return [
            reading if request.encoded.padded else self.repeated(reading)
            for request, reading in zip(requests, found, strict=True)
        ]

    def repeated(self, reading: Reading) -> Reading:
        copies = tuple(
            replace(word, start_s=word.end_s) for word in reading.words if word.text == self.doubted
        )
        return replace(reading, words=(*reading.words, *copies * 3))


@pytest.mark.parametrize("draft", [False, True])
def test_a_quick_reading_that_is_in_doubt_is_read_again_with_padding(draft):
    script = sentences(25)
    decoder = HastyDecoder(script)
    decoder.doubted = script[12].text
    samples, report = numbered(70), Report()
    reader = RecordingReader(decoder, samples, TranscribeOptions(draft=draft), report)
    batch = list(windows(speech_of(script), len(samples)))
    words = reader.read(batch)
    assert [word.word.text for word in words] == [each.text for each in script]
    assert report.warnings == []
    assert [len(call) for call in decoder.calls] == [len(batch), 1]


def test_what_is_left_out_again_among_neighbours_is_read_alone():
    script = sentences(8)
    decoder = skipping(script, {f"{name(number)}." for number in (2, 3, 4)}, also_of=1)
    segments, report = read(decoder, 25, speech_of(script))
    assert joined(segments) == " ".join(each.text for each in script)
    assert report.warnings == []


def test_neighbours_that_bring_nothing_together_are_read_alone():
    script = sentences(8)

    class Shy(ScriptedDecoder):
        def reading(self, places, language, ask):
            found = super().reading(places, language, ask)
            words = found.words[:2] if len(self.calls) == 1 else found.words
            return replace(found, words=words if len(words) < 3 else ())

    segments, report = read(Shy(script), 25, speech_of(script))
    assert joined(segments) == " ".join(each.text for each in script)
    assert report.warnings == []


def test_speech_that_stays_without_text_is_told():
    script = sentences(3)
    speech = [*speech_of(script), region(20, 23)]
    segments, report = read(ScriptedDecoder(script), 30, speech)
    assert len(segments) == 3
    [caution] = report.warnings
    assert caution.code == "speech_without_text"
    assert (caution.start_s, caution.end_s) == (20.0, 23.0)


def test_a_draft_leaves_its_end_to_the_next_one():
    script = sentences(4)
    decoder = EarlyDecoder(ScriptedDecoder(script))
    speech = [region(1.0, 11.0)]
    segments, report = read(decoder, 11, speech, TranscribeOptions(draft=True))
    assert len(decoder.decoder.calls) == 1
    assert joined(segments) == f"{name(0)}. {name(1)}."
    assert report.warnings == []


# --- languages ------------------------------------------------------------------------------------


def german(script: list[Said]) -> list[Said]:
    return [replace(each, language="de") for each in script]


@pytest.mark.parametrize("english", [2, 4, 8, 11, 14])
def test_both_languages_come_out_wherever_they_switch(english):
    script = sentences(16)
    script = [*script[:english], *german(script[english:])]
    segments, report = read(ScriptedDecoder(script), 45, speech_of(script))
    assert joined(segments) == " ".join(each.text for each in script)
    assert set(report.languages) == {"en", "de"}
    assert [segment.language for segment in segments] == [each.language for each in script]


def test_a_fixed_language_is_the_only_one():
    script = sentences(8)
    script = [*script[:4], *german(script[4:])]
    options = TranscribeOptions(language="en")
    decoder = ScriptedDecoder(script)
    _segments, report = read(decoder, 25, speech_of(script), options)
    assert report.languages == ("en",)
    assert {code for codes, _ask in decoder.asks for code in codes} == {"en"}


def test_an_english_model_is_asked_for_nothing_else():
    script = sentences(4)
    decoder = ScriptedDecoder(script, is_multilingual=False)
    _segments, report = read(decoder, 15, speech_of(script), TranscribeOptions(language="fr"))
    assert report.languages == ("en",)


def test_a_greeting_in_another_language_does_not_decide_for_the_rest():
    script = sentences(24)
    script = [*german(script[:1]), *script[1:]]
    _segments, report = read(ScriptedDecoder(script), 70, speech_of(script))
    assert report.language == "en"


@pytest.mark.parametrize(("count", "language"), [(1, "en"), (3, "de")])
def test_an_expected_language_holds_until_the_speech_tells_otherwise(count, language):
    script = german(sentences(count))
    options = TranscribeOptions(expected_language="en")
    _segments, report = read(ScriptedDecoder(script), 10, speech_of(script), options)
    assert report.languages == (language,)


# --- hints ----------------------------------------------------------------------------------------


class Leaking(ScriptedDecoder):
    """Says its prompt where it was to go on from it."""

    def reading(self, places, language, ask):
        found = super().reading(places, language, ask)
        if not ask.prompt:
            return found
        said = tuple(
            SpokenWord(text, True, 0.1 * number, 0.1 * number + 0.1, 0.9, (1,))
            for number, text in enumerate(ask.prompt.split())
        )
        return replace(found, words=(*said, *found.words))


def test_a_prompt_does_not_leak_into_the_text():
    script = sentences(4)
    options = TranscribeOptions(prompt="Minutes of the weekly budget meeting")
    segments, _report = read(Leaking(script), 15, speech_of(script), options)
    assert joined(segments) == " ".join(each.text for each in script)


def test_a_prompt_that_is_said_stays():
    script = [Said("Minutes of the weekly meeting.", 1.0, 3.0)]
    options = TranscribeOptions(prompt="Minutes of the weekly meeting")
    segments, _report = read(ScriptedDecoder(script), 5, speech_of(script), options)
    assert joined(segments) == script[0].text


def test_hotwords_are_given_to_every_window():
    script = sentences(30)
    decoder = ScriptedDecoder(script)
    read(decoder, 80, speech_of(script), TranscribeOptions(hotwords=("Anouk",)))
    assert len(decoder.asks) > 2
    assert all(ask.hotwords == ("Anouk",) for _languages, ask in decoder.asks)


# --- whatever a decoder may give ------------------------------------------------------------------

TIMES = st.floats(-5, 40, allow_nan=False)
WORD = st.builds(
    SpokenWord,
    st.text("ab.?,日本 ", min_size=1).map(str.strip).filter(bool),
    *(st.booleans(), TIMES, TIMES, st.floats(0, 1), st.just((1,))),
)
READING = st.builds(
    Reading,
    st.lists(WORD, max_size=12).map(tuple),
    st.sampled_from(["en", "de", "ja"]),
    *(st.floats(-3, 0), st.floats(0, 1), st.floats(0.3, 10)),
)


class Anything(ScriptedDecoder):
    """Gives readings as they come, whatever it is asked."""

    def __init__(self, readings: list[Reading]) -> None:
        super().__init__([])
        self._readings = readings

    def decode(self, requests):
        nothing = Reading((), "en")
        return [self._readings.pop() if self._readings else nothing for _ in requests]


@given(st.lists(READING, max_size=8), st.lists(st.tuples(TIMES, TIMES), max_size=5))
def test_segments_are_in_order_within_the_audio_and_do_not_overlap(readings, spoken):
    seconds = 30.0
    bounds = sorted(max(0.0, min(seconds, at)) for pair in spoken for at in pair)
    speech = [region(*pair) for pair in zip(bounds[::2], bounds[1::2], strict=True)]
    speech = [each for each in speech if each.length]
    segments, _report = read(Anything(list(readings)), seconds, speech)
    for segment in segments:
        assert 0 <= segment.start_s <= segment.end_s <= seconds
        assert segment.end_s - segment.start_s <= 15.0 + 1e-6
        assert segment.text == joined(segment.words)
        assert (segment.start_s, segment.end_s) == (
            segment.words[0].start_s,
            segment.words[-1].end_s,
        )
    assert all(before.end_s <= after.start_s for before, after in pairwise(segments))
    words = [word for segment in segments for word in segment.words]
    assert all(before.end_s <= after.start_s for before, after in pairwise(words))
    assert joined(segments) == joined(words)
    assert [segment.id for segment in segments] == list(range(len(segments)))


# --- times in a window ----------------------------------------------------------------------------


def test_a_time_on_the_seam_stays_on_its_side_of_a_long_pause():
    [window] = windows([region(1, 5), region(605, 608)], int(620 * SAMPLE_RATE_HZ))
    seam_s = 4.8  # 0.4 s around the first speech, and 4 s of it
    assert window.place(seam_s - 0.5, seam_s + 0.1)[1] <= 5.4
    assert window.place(seam_s - 0.05, seam_s + 0.5)[0] >= 604.6


def test_a_word_does_not_reach_over_a_pause():
    script = [Said("before", 1.0, 3.0), Said("after", 43.0, 45.0)]
    decoder = ScriptedDecoder(script)

    def stretched(places, language, ask):
        found = ScriptedDecoder.reading(decoder, places, language, ask)
        if len(found.words) < 2:
            return found
        first, last = found.words
        return replace(found, words=(replace(first, end_s=last.start_s), last))

    decoder.reading = stretched
    segments, _report = read(decoder, 50, speech_of(script))
    assert segments[0].end_s <= 3.5
    assert abs(segments[1].start_s - 43.0) < 0.2


@given(
    st.lists(st.tuples(st.floats(0.01, 20), st.floats(0.01, 28)), min_size=1, max_size=20),
)
def test_windows_hold_all_speech_in_order(gaps_and_lengths):
    speech, at = [], 0.0
    for gap_s, length_s in gaps_and_lengths:
        speech.append(region(at + gap_s, at + gap_s + length_s))
        at += gap_s + length_s
    total = int((at + 1) * SAMPLE_RATE_HZ)
    found: list[Window] = list(windows(speech, total))
    assert [each for window in found for each in window.speech] == speech
    pieces = [piece for window in found for piece in window.pieces]
    assert all(before.end <= after.start for before, after in pairwise(pieces))
    assert all(0 < window.length <= 30 * SAMPLE_RATE_HZ for window in found)
    for each in speech:
        held = sum(
            max(0, min(each.end, piece.end) - max(each.start, piece.start)) for piece in pieces
        )
        assert held == each.length
    samples = numbered(at + 1)
    assert all(window.audio(samples).size == window.length for window in found)
