"""A child process that runs pocketsphinx, one utterance after another.

pocketsphinx holds the GIL during every call, so in the server's process one utterance would stop
the event loop for seconds. The parent writes a 4-byte little-endian length and that many bytes of
PCM16 to stdin, and reads one line of JSON from stdout: a list of
`[word, start_s, end_s, probability]`. The process ends at the end of its input, so it never
outlives its parent.
"""

import json
import struct
import sys
from typing import Any

from echostream.domain import SAMPLE_RATE_HZ

_FRAMES_PER_S = 100
_HEADER = struct.Struct("<I")


def main() -> None:
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=SAMPLE_RATE_HZ, loglevel="FATAL")
    stdin, stdout = sys.stdin.buffer, sys.stdout
    while header := stdin.read(_HEADER.size):
        pcm = stdin.read(_HEADER.unpack(header)[0])
        print(json.dumps(recognise(decoder, pcm)), file=stdout, flush=True)


def recognise(decoder: Any, pcm: bytes) -> list[tuple[str, float, float, float]]:
    """The words of one utterance, without fillers, with times in seconds from its start."""
    decoder.start_utt()
    decoder.process_raw(pcm, no_search=False, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    logmath = decoder.get_logmath()
    words = []
    for segment in decoder.seg():
        if segment.word.startswith(("<", "[", "+")):
            continue
        # The dictionary marks other pronunciations of a word by a number: "the(2)".
        text = segment.word.split("(")[0]
        start_s = segment.start_frame / _FRAMES_PER_S
        end_s = (segment.end_frame + 1) / _FRAMES_PER_S
        words.append((text, start_s, end_s, min(1.0, logmath.exp(segment.prob))))
    return words


if __name__ == "__main__":
    main()
