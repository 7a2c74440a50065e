"""A whole library as a zip file, to keep or to move it: out of any store, and into any.

    echostream-library.json                what this is, and the version of the form
    recordings/<id>/recording.json         what the store has: a `media` and an `analysis`
    recordings/<id>/audio.<suffix>         the audio, if there is any

Links to shared recordings and folders are not in it: they stay with the library that made them.
Nor are recordings in the bin.
"""
