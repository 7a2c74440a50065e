"""Generated sounds of rooms, people, streets and machines, without words.

Each function takes a random generator and a length in seconds, and returns sound of any loudness.
The catalogue in `noises` sets the level.
"""

from collections.abc import Iterator

import numpy as np

from benchmarks.synth import (
    Rng,
    Sound,
    add,
    band,
    decay,
    harmonics,
    length,
    noise,
    peaked,
    resonance,
    swell,
    times,
    tone,
    wander,
)


def _instants(rng: Rng, seconds: float, every_s: float, *, steady: float = 0.3) -> Iterator[float]:
    """Yields times about `every_s` apart; the smaller `steady`, the more regular."""
    at_s = every_s * rng.random()
    while at_s < seconds:
        yield at_s
        at_s += every_s * max(0.05, 1 + steady * float(rng.standard_normal()))


def breathing(rng: Rng, seconds: float) -> Sound:
    """In through the nose, out through the mouth, close to a microphone."""
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 3.6, steady=0.1):
        inhale, exhale = rng.uniform(0.9, 1.3), rng.uniform(1.2, 1.7)
        add(out, at_s, band(noise(rng, inhale), 700, 4500) * swell(inhale, 0.5, 0.3), 0.6)
        breath = resonance(band(noise(rng, exhale), 250, 3500), 900, 500)
        add(out, at_s + inhale + 0.2, breath * swell(exhale, 0.15, 1.0))
    return out


def panting(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for number, at_s in enumerate(_instants(rng, seconds, 0.45, steady=0.08)):
        low, high = ((900, 5000), (300, 2500))[number % 2]
        add(out, at_s, band(noise(rng, 0.32), low, high) * swell(0.32, 0.1, 0.15))
    return out


def snoring(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 4.2, steady=0.1):
        rattle = 0.5 + 0.5 * np.sign(tone(rng.uniform(28, 40), 1.6))
        rough = resonance(noise(rng, 1.6, 1) * rattle, 350, 150)
        add(out, at_s, rough * swell(1.6, 0.5, 0.4))
    return out


def coughing(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 2.8):
        for number in range(int(rng.integers(1, 4))):
            burst = band(noise(rng, 0.3), 200, 5000)
            chest = resonance(burst, rng.uniform(450, 650), 200) + 0.5 * resonance(burst, 1500, 300)
            add(out, at_s + 0.38 * number, peaked(chest) * decay(0.3, 0.05, 0.008))
    return out


def sneezing(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 4.5):
        add(out, at_s, band(noise(rng, 0.5), 1500, 6000) * swell(0.5, 0.45, 0.03), 0.3)
        add(out, at_s + 0.5, band(noise(rng, 0.4), 800, 7500) * decay(0.4, 0.07, 0.004))
    return out


def clap(rng: Rng) -> Sound:
    hands = resonance(noise(rng, 0.06), rng.uniform(900, 1900), 700)
    return peaked(hands) * decay(0.06, 0.006) * rng.uniform(0.4, 1)


def applause(rng: Rng, seconds: float) -> Sound:
    """Many hands: loud within a second, then slowly fading."""
    out = np.zeros(length(seconds))
    for _ in range(int(60 * seconds)):
        add(out, float(rng.random()) * seconds, clap(rng))
    return out * swell(seconds, 1.0, seconds * 0.6)


def swelling_applause(rng: Rng, seconds: float) -> Sound:
    waves = 0.15 + np.abs(np.sin(2 * np.pi * 0.2 * times(seconds)))
    return applause(rng, seconds) * waves


def few_claps(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for _ in range(3):
        for at_s in _instants(rng, seconds, rng.uniform(0.22, 0.35), steady=0.06):
            add(out, at_s, clap(rng))
    return out


def typing(rng: Rng, seconds: float) -> Sound:
    """Keys go down and up, with an occasional space bar or pause."""
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 0.16, steady=0.6):
        if rng.random() < 0.12:
            continue
        key = resonance(noise(rng, 0.05), rng.uniform(1800, 4200), 900) * decay(0.05, 0.006)
        add(out, at_s, peaked(key), rng.uniform(0.3, 1))
        add(out, at_s + rng.uniform(0.06, 0.1), peaked(key), rng.uniform(0.1, 0.3))
    return out


def mouse_clicks(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 0.9, steady=0.5):
        click = band(noise(rng, 0.02), 2000, 7500) * decay(0.02, 0.002)
        add(out, at_s, click)
        add(out, at_s + 0.08, click, 0.6)
    return out


def paper(rng: Rng, seconds: float) -> Sound:
    """Turning pages: crackling in bursts."""
    crackle = noise(rng, seconds) * (wander(rng, seconds, 300) ** 6)
    hands = np.clip(wander(rng, seconds, 1.2) * 2 - 0.8, 0, 1)
    return band(crackle * hands, 900, 7500)


def footsteps(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for number, at_s in enumerate(_instants(rng, seconds, 0.55, steady=0.04)):
        heel = resonance(noise(rng, 0.15), 120 + 30 * (number % 2), 80) * decay(0.15, 0.02)
        sole = band(noise(rng, 0.1), 800, 4000) * decay(0.1, 0.015)
        add(out, at_s, peaked(heel))
        add(out, at_s + 0.05, sole, 0.25)
    return out


def knocks(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 3.0):
        for number in range(3):
            wood = tone(rng.uniform(170, 230), 0.2) + 0.5 * tone(rng.uniform(420, 520), 0.2)
            add(out, at_s + 0.28 * number, (wood + noise(rng, 0.2)) * decay(0.2, 0.018))
    return out


def chair(rng: Rng, seconds: float) -> Sound:
    """Creaks: wood that sticks and slips, with a sliding pitch."""
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 2.2):
        long_s = rng.uniform(0.3, 0.9)
        hz = np.linspace(rng.uniform(60, 120), rng.uniform(90, 260), length(long_s))
        slips = np.maximum(tone(hz, long_s), 0.7) - 0.7
        wood = resonance(slips, rng.uniform(500, 900), 120) + resonance(slips, 1900, 250)
        add(out, at_s, peaked(wood) * swell(long_s, 0.1, 0.1))
    return out


def dishes(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 0.8, steady=0.7):
        for _ in range(4):
            ring = tone(rng.uniform(1800, 6500), 0.5) * decay(0.5, rng.uniform(0.02, 0.09))
            add(out, at_s, ring, rng.uniform(0.1, 0.5))
    return out


def wind(rng: Rng, seconds: float) -> Sound:
    gusts = wander(rng, seconds, 0.5)
    rumble = band(noise(rng, seconds, 2), 20, 400)
    howl = resonance(noise(rng, seconds, 1), 520, 60) * wander(rng, seconds, 0.8) ** 2
    return gusts * (peaked(rumble) + 0.5 * peaked(howl))


def rain(rng: Rng, seconds: float) -> Sound:
    out = 0.25 * band(noise(rng, seconds), 800, 7800)
    for _ in range(int(40 * seconds)):
        drop = tone(rng.uniform(1500, 6000), 0.02) * decay(0.02, 0.003)
        add(out, float(rng.random()) * seconds, drop, rng.uniform(0.1, 0.6))
    return out


def thunder(rng: Rng, seconds: float) -> Sound:
    out = 0.1 * rain(rng, seconds)
    for at_s in _instants(rng, seconds, 7.0):
        roll = band(noise(rng, 4.0, 2), 20, 250) * wander(rng, 4.0, 6) * decay(4.0, 1.0, 0.05)
        add(out, at_s, peaked(roll))
    return out


def waves(rng: Rng, seconds: float) -> Sound:
    surf = 0.5 - 0.5 * np.cos(2 * np.pi * 0.14 * times(seconds) + rng.random() * 6)
    return surf**2 * band(noise(rng, seconds, 0.7), 100, 6000)


def traffic(rng: Rng, seconds: float) -> Sound:
    """Passing cars: a low rumble and higher tyre noise that come closer and fade."""
    out = 0.2 * band(noise(rng, seconds, 2), 30, 500)
    for at_s in _instants(rng, seconds, 3.5):
        passing = swell(4.0, 2.0, 2.0) ** 2
        add(out, at_s, peaked(band(noise(rng, 4.0, 1), 60, 3000)) * passing)
    return out


def engine(rng: Rng, seconds: float) -> Sound:
    """An engine that idles and revs."""
    hz = 28 + 45 * wander(rng, seconds, 0.35) ** 2
    strokes = harmonics(hz, seconds, [1 / number**0.7 for number in range(1, 40)])
    return resonance(strokes, 180, 150) + 0.15 * noise(rng, seconds, 1)


def train(rng: Rng, seconds: float) -> Sound:
    out = 0.5 * band(noise(rng, seconds, 1.5), 30, 1500)
    for at_s in _instants(rng, seconds, 0.9, steady=0.01):
        for later in (0.0, 0.14):
            joint = resonance(noise(rng, 0.12), 240, 150) * decay(0.12, 0.02)
            add(out, at_s + later, peaked(joint), 0.8)
    return out


def fan(rng: Rng, seconds: float) -> Sound:
    air = band(noise(rng, seconds, 1), 60, 5000)
    blades = 1 + 0.25 * tone(11.5, seconds)
    return air * blades + 0.2 * harmonics(115, seconds, [1, 0.5, 0.3, 0.2])


def vacuum(rng: Rng, seconds: float) -> Sound:
    motor = harmonics(310 + 8 * wander(rng, seconds, 2), seconds, [1, 0.6, 0.8, 0.3, 0.4, 0.2])
    return 0.3 * motor + band(noise(rng, seconds, 0.5), 200, 7000)


def drill(rng: Rng, seconds: float) -> Sound:
    on = (wander(rng, seconds, 0.6) > 0.4).astype(float)
    hz = 140 + 30 * wander(rng, seconds, 1)
    whirr = harmonics(hz, seconds, [1 / number**0.5 for number in range(1, 40)])
    return on * (whirr + noise(rng, seconds)) + 0.02 * noise(rng, seconds, 1)


def helicopter(rng: Rng, seconds: float) -> Sound:
    beats = np.maximum(tone(13, seconds), 0) ** 3
    return beats * band(noise(rng, seconds, 1.5), 30, 900) + 0.1 * noise(rng, seconds, 1)


def birds(rng: Rng, seconds: float) -> Sound:
    out = 0.01 * noise(rng, seconds, 1)
    for at_s in _instants(rng, seconds, 0.7, steady=0.8):
        low, high = rng.uniform(2200, 3200), rng.uniform(3500, 6500)
        for number in range(int(rng.integers(1, 6))):
            chirp = tone(np.linspace(low, high, length(0.08)), 0.08) * swell(0.08, 0.02, 0.03)
            add(out, at_s + 0.12 * number, chirp, rng.uniform(0.3, 1))
    return out


def crickets(rng: Rng, seconds: float) -> Sound:
    pulses = np.maximum(tone(28, seconds), 0) * (tone(1.8, seconds) > 0)
    return pulses * tone(4600, seconds) + 0.02 * noise(rng, seconds)


def dog(rng: Rng, seconds: float) -> Sound:
    """Barks: voiced bursts with a falling pitch. The most voice-like sound here."""
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 1.1):
        for number in range(int(rng.integers(1, 4))):
            hz = np.linspace(rng.uniform(420, 560), 260, length(0.18))
            throat = harmonics(hz, 0.18, [1 / k**0.6 for k in range(1, 20)])
            rough = resonance(throat + 0.8 * noise(rng, 0.18), 1000, 400)
            add(out, at_s + 0.3 * number, peaked(rough) * swell(0.18, 0.02, 0.1))
    return out


def bumps(rng: Rng, seconds: float) -> Sound:
    """Hands and sleeves on a microphone."""
    out = 0.003 * noise(rng, seconds, 1)
    for at_s in _instants(rng, seconds, 1.5, steady=0.6):
        thump = tone(rng.uniform(35, 80), 0.25) * decay(0.25, 0.04)
        rub = band(noise(rng, 0.5, 1), 80, 2500) * swell(0.5, 0.1, 0.2)
        add(out, at_s, thump)
        add(out, at_s + 0.1, peaked(rub), 0.3)
    return out


def blowing(rng: Rng, seconds: float) -> Sound:
    out = np.zeros(length(seconds))
    for at_s in _instants(rng, seconds, 2.4):
        puff = band(noise(rng, 0.8, 2), 20, 1200) * (0.4 + wander(rng, 0.8, 25))
        add(out, at_s, peaked(puff) * swell(0.8, 0.05, 0.4))
    return np.clip(3 * out, -1, 1)
