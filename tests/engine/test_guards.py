"""Guards look at the audio: what was said ten times stays, what nobody said goes."""

from dataclasses import replace

from echostream.engine.whisper import guards
from echostream.engine.whisper.decoder import Reading, compression_ratio
from echostream.engine.whisper.words import SpokenWord


def reading(text: str, *, each_s: float = 0.3, **facts: float) -> Reading:
    words = tuple(
        SpokenWord(word, True, number * each_s, (number + 1) * each_s, 0.9, (number,))
        for number, word in enumerate(text.split())
    )
    known = {"avg_logprob": -0.1, "compression_ratio": compression_ratio(text), **facts}
    return Reading(words, "en", **known)


def test_what_was_really_said_ten_times_stays():
    said = reading("Please stay on the line. " * 10, each_s=0.35)
    assert said.compression_ratio > 2.4
    assert not guards.is_loop(said, speech_s=17)


def test_words_in_no_time_that_repeat_are_a_loop():
    assert guards.is_loop(reading("Duh, " * 160, each_s=0.04), speech_s=7.4)


def test_a_loop_at_the_end_of_good_text_is_found():
    good = reading("We will see about that tomorrow and on Monday").words
    loop = tuple(
        SpokenWord("again", True, 2.7 + 0.02 * n, 2.72 + 0.02 * n, 0.9, (n,)) for n in range(40)
    )
    both = Reading((*good, *loop), "en", avg_logprob=-0.1, compression_ratio=1.9)
    assert guards.is_loop(both, speech_s=4)
    assert guards.without_loops(both).text == (
        "We will see about that tomorrow and on Monday again again"
    )


def test_fast_speech_is_no_loop():
    fast = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    assert not guards.is_loop(reading(fast, each_s=0.12), speech_s=1.7)


def test_of_a_loop_of_phrases_two_copies_stay():
    looped = guards.without_loops(reading("thank you very much " * 30, each_s=0.02))
    assert looped.text == "thank you very much thank you very much"


def test_text_that_the_decoder_is_not_sure_of_is_invented():
    assert guards.is_invented(reading("Thank you.", avg_logprob=-1.5, no_speech_prob=0.9))
    unsure = SpokenWord("you.", True, 0.0, 0.3, 0.04, (1,))
    assert guards.is_invented(Reading((unsure,), "en", avg_logprob=-1.9, no_speech_prob=0.4))


def test_a_loop_of_one_letter_is_invented():
    assert guards.is_invented(reading("A" + "h" * 80 + "."))
    assert not guards.is_invented(reading("Ahhh, I see. Hmmmm."))


def test_quiet_far_off_speech_is_not_invented():
    far = SpokenWord("Right.", True, 0.0, 0.3, 0.62, (1,))
    assert not guards.is_invented(Reading((far,), "en", avg_logprob=-0.6, no_speech_prob=0.65))
    assert not guards.is_invented(Reading((), "en", avg_logprob=-3, no_speech_prob=0.4))


def test_a_single_word_of_the_hints_is_no_leak():
    assert not guards.leaked(reading("We use Kubernetes now and here."), "Kubernetes, Anouk")
    assert guards.leaked(reading("Kubernetes"), "Kubernetes, Anouk")
    assert not guards.leaked(reading("Something else"), "")


def test_a_quick_reading_that_goes_on_after_the_last_sound_is_doubtful():
    said = reading("Turn on the living room light")
    end_s = said.words[-1].end_s
    copies = tuple(replace(word, start_s=end_s, end_s=end_s) for word in said.words)
    twice = replace(said, words=(*said.words, *copies))
    assert not guards.is_loop(twice, speech_s=1.3)
    assert guards.is_doubtful(twice, speech_s=1.3)
    assert not guards.is_doubtful(said, speech_s=1.3)


def test_a_quick_reading_without_text_or_end_is_doubtful():
    assert guards.is_doubtful(Reading((), "en"), speech_s=1.0)
    assert guards.is_doubtful(replace(reading("and so on"), is_cut=True), speech_s=1.0)


def test_fast_words_are_not_doubtful():
    assert not guards.is_doubtful(reading("as fast as anybody can say it", each_s=0.1), 1.0)
