"""The features are Kaldi's."""

import numpy as np

from conftest import sample_pcm
from echostream.diarization.features import fbank

# Of the second 0.5 to 1.5 of the sample, by kaldi-native-fbank 1.23.0: frame, bin, value.
KALDI = [(0, 0, -4.871), (10, 20, -10.513), (33, 41, -5.999), (60, 5, 0.658), (97, 79, -13.226)]


def test_features_equal_those_of_kaldi():
    found = fbank(sample_pcm()[8000:24000])
    assert found.shape == (98, 80)
    for frame, place, value in KALDI:
        assert abs(found[frame, place] - value) < 0.01


def test_what_is_shorter_than_a_window_has_no_frames():
    assert fbank(np.zeros(399, np.int16)).shape == (0, 80)
    assert fbank(np.zeros(400, np.int16)).shape == (1, 80)
