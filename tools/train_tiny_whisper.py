"""Train a Whisper of about 1.7 M parameters on meeting speech and write it for faster-whisper.

    python -m venv /tmp/train && . /tmp/train/bin/activate && pip install -r tools/requirements.txt
    cd tools && mkdir -p /tmp/pool
    for seed in 101 102 103 104 105 106 107 108 109 110; do      # about 10 minutes on two cores
        python meeting_corpus.py --count 720 --seed $seed --out /tmp/pool/pool$seed.pkl
    done
    model=../tests/data/whisper-tiny-meeting
    python train_tiny_whisper.py --data /tmp/pool --out $model --minutes 66
    python train_tiny_whisper.py --data /tmp/pool --out $model --minutes 21 \
        --resume /tmp/pool/checkpoint.pt --start 0.62 --seed 2
    python evaluate_tiny_whisper.py $model --json /tmp/figures.json

Training runs for a given time, not for a number of steps, so that it also ends on time on a slow
machine; with less time the model is worse. `checkpoint.pt` is written to the data folder every few
minutes; `--resume` continues from it, and `--start` gives the place in the schedule (0 to 1).

There are three phases. ``frames`` teaches the encoder which phone and word each 20 ms frame
belongs to, ``short`` adds the decoder on short windows, and ``long`` finishes with Whisper's 30 s
windows, padded with 0.0 as in faster-whisper.

Why an hour on two cores is enough:
- flite reports when each phone is spoken, so the encoder learns from a label for every 20 ms frame
  (phone, word, previous word) and not only from text;
- the same times teach cross-attention where to look: the first decoder layer at the word just
  written, two heads of the last layer evenly over the word to write. These two are the
  `alignment_heads`, so word timestamps are right;
- recordings are kept as linear mel power and mixed into clips in memory, so every batch is new and
  costs only milliseconds;
- short windows come first, at random places in the 30 s of positions, then whole windows.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import meeting_corpus as corpus
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

WIDTH, ENCODER_LAYERS, DECODER_LAYERS, MELS = 128, 3, 2, 80
ENCODER_HEADS, DECODER_HEADS = 2, 4  # few in the encoder: its attention is most of the work
WINDOW = 3000  # mel frames in 30 s
POSITIONS, TEXT_POSITIONS = 1500, 448
MAX_FIRST_TIMESTAMP = 1.0  # seconds; faster-whisper forbids a later first timestamp
ALIGNMENT_HEADS = [[1, 0], [1, 1]]  # (decoder layer, head), taught to follow the words
SPECIALS = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
TIMESTAMPS = tuple(f"<|{step * 0.02:.2f}|>" for step in range(1501))


# ---------------------------------------------------------------- tokens


def make_tokenizer(path: Path, texts: list[str], size: int = 900) -> None:
    """Trains a byte-level BPE on ``texts`` with Whisper's special tokens; writes tokenizer.json."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator((" " + text for text in texts), trainer)
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.add_special_tokens(list(TIMESTAMPS))
    tokenizer.save(str(path))


class Tokens:
    """Converts text to token ids, and has the ids of Whisper's special tokens."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(path))
        self.size = self.tokenizer.get_vocab_size()
        ids = {name: self.tokenizer.token_to_id(name) for name in SPECIALS}
        self.eot, self.sot = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
        self.prev, self.nospeech = ids["<|startofprev|>"], ids["<|nospeech|>"]
        self.notimestamps = ids["<|notimestamps|>"]
        self.cache: dict[str, list[int]] = {}

    def piece(self, text: str) -> list[int]:
        """Returns the ids of one word with its leading space, or of one punctuation mark."""
        if text not in self.cache:
            self.cache[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self.cache[text]

    def timestamp(self, seconds: float) -> int:
        """Returns the id of the timestamp nearest to ``seconds`` in the window."""
        return self.notimestamps + 1 + min(1500, max(0, round(seconds / 0.02)))


# ---------------------------------------------------------------- clips


@dataclass
class Clip:
    """A window of sound, its sentences and where each recording starts (seconds)."""

    log_power: np.ndarray  # float32 (frames, 80), log10 mel power
    placed: list[tuple[corpus.Recording, float]]  # complete sentences
    next_start: float | None = None  # if the window is full: where the next sentence starts
    words: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # per 20 ms
    phones: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # per 20 ms


class ClipMaker:
    """Joins recordings into clips, with pauses, gain, colour and noise."""

    def __init__(self, pool: list[corpus.Recording], seed: int) -> None:
        self.pool, self.rng = pool, random.Random(seed)
        self.np_rng = np.random.default_rng(seed)
        noise = self.np_rng.standard_normal(60 * corpus.SAMPLE_RATE).astype(np.float32)
        self.noise = corpus.mel_power(noise)  # (frames, 80), variance 1
        self.mel_shape = self.noise.mean(axis=0)
        names = sorted({word for item in pool for word, _, _ in item.words})
        self.word_ids = {word: place + 1 for place, word in enumerate(names)}
        phones = sorted({name for item in pool for name, _, _ in item.phones if name != "pau"})
        self.phone_ids = {name: place + 1 for place, name in enumerate(phones)}

    def gap(self) -> float:
        """Returns a random pause between two sentences, in seconds."""
        kind, draw = self.rng.random(), self.rng.uniform
        if kind < 0.3:
            return draw(0.12, 0.35)
        if kind < 0.75:
            return draw(0.35, 0.9)
        return draw(0.9, 2.2) if kind < 0.95 else draw(2.2, 6.0)

    def colour(self, spread: float) -> np.ndarray:
        """Returns a smooth random frequency response, log10 power per mel (80)."""
        knots = self.np_rng.uniform(-spread, spread, 5)
        return np.interp(np.arange(MELS), np.linspace(0, MELS - 1, 5), knots)

    def add_noise(self, power: np.ndarray, level: float) -> None:
        """Adds coloured noise to linear ``power`` (frames, 80); ``level`` is log10 variance."""
        start = self.np_rng.integers(0, max(1, len(self.noise) - len(power)))
        shape = 10 ** (level + self.colour(0.8))
        power += self.noise[start : start + len(power)] * shape

    def finish(self, power: np.ndarray, gain: float) -> np.ndarray:
        """Applies gain, colour and noise, then converts linear power to log10; (frames, 80)."""
        power *= 10 ** (gain + self.colour(0.25))
        if self.rng.random() < 0.65:
            self.add_noise(power, gain + self.rng.uniform(-7.5, -4.3))
        return np.log10(np.maximum(power, 1e-10)).astype(np.float32)

    def silence(self, seconds: float) -> Clip:
        """Returns a clip without speech: digital silence, or noise of any level."""
        power = np.zeros((int(seconds * 100), MELS), np.float32)
        if self.rng.random() < 0.8:
            self.add_noise(power, self.rng.uniform(-8, -0.5))
        clip = Clip(np.log10(np.maximum(power, 1e-10)).astype(np.float32), [])
        clip.words = clip.phones = np.zeros(len(power) // 2, np.int64)
        return clip

    def put(self, clip: Clip, power: np.ndarray, item: corpus.Recording, offset: float) -> None:
        """Adds ``item`` at ``offset`` seconds to ``power`` and the labels, cut at the edges."""
        first = round(offset * 100)
        low, high = max(0, -first), min(len(item.power), len(power) - first)
        if high <= low:
            return
        loud = 10 ** (item.power[low:high].astype(np.float32) + self.rng.uniform(-0.4, 0.3))
        power[first + low : first + high] += loud
        for name, start, end in item.phones:
            if name != "pau":
                a, b = (max(0, round((time_ + offset) * 50)) for time_ in (start, end))
                clip.phones[a:b] = self.phone_ids.get(name, 0)
        for word, start, end in item.words:
            a, b = (max(0, round((time_ + offset) * 50)) for time_ in (start, end))
            clip.words[a:b] = self.word_ids.get(word, 0)

    def speech(self, seconds: float, cut: bool) -> Clip:
        """Returns a clip of at most ``seconds``; with ``cut``, exactly that long, and cut off."""
        power = np.zeros((int(seconds * 100), MELS), np.float32)
        half = len(power) // 2
        clip = Clip(power, [], None, np.zeros(half, np.int64), np.zeros(half, np.int64))
        lead = self.rng.uniform(0.0, 0.9) if self.rng.random() < 0.85 else self.rng.uniform(0.9, 5)
        at = lead
        voice = self.rng.choice(corpus.VOICES) if self.rng.random() < 0.3 else None
        if self.rng.random() < 0.25:  # the end of a word from the previous window
            item = self.rng.choice(self.pool)
            tail = self.rng.uniform(0.0, 0.12)
            self.put(clip, power, item, tail - item.end)
            at = max(at, tail + 0.15)
        while True:
            item = self.rng.choice(self.pool)
            while voice and item.voice != voice:
                item = self.rng.choice(self.pool)
            offset = at - item.start
            if offset + item.end > seconds - 0.02:
                break
            self.put(clip, power, item, offset)
            clip.placed.append((item, offset))
            at = offset + item.end + self.gap()
        if cut:
            clip.next_start = min(at, seconds)
            if at < seconds:
                self.put(clip, power, item, at - item.start)
        elif clip.placed:
            item, offset = clip.placed[-1]
            length = min(seconds, offset + item.end + self.rng.uniform(0.05, 1.2))
            power = power[: int(length * 100)]
            clip.words, clip.phones = clip.words[: len(power) // 2], clip.phones[: len(power) // 2]
        clip.log_power = self.finish(power, self.rng.uniform(-1.6, 0.5))
        return clip


def normalise(log_power: np.ndarray, headroom: float) -> np.ndarray:
    """Scales log10 mel power as Whisper does; ``headroom``: the file's peak above the clip's."""
    return (np.maximum(log_power, log_power.max() + headroom - 8.0) + 4.0) / 4.0


@dataclass
class Target:
    """Token ids and the seconds of sound that each stands for (None: no sound)."""

    ids: list[int]
    spans: list[tuple[float, float] | None]
    masked: int  # how many leading ids belong to the prompt


def sentence_tokens(
    tokens: Tokens,
    item: corpus.Recording,
    offset: float,
    pause: float,
) -> tuple[list[int], list[tuple[float, float] | None]]:
    """Returns ids and spans of a sentence; its full stop stands for the ``pause`` (s) after it."""
    ids, spans, place = [], [], 0
    for piece in re.findall(r" [A-Za-z']+|[.,?!]", " " + item.text):
        if piece[0] == " ":
            _, start, end = item.words[place]
            place += 1
        else:
            start = item.words[place - 1][2]
            inner = place < len(item.words)
            end = item.words[place][1] if inner else start + pause
            end = max(end, start + 0.06)
        made = tokens.piece(piece)
        share = (end - start) / len(made)
        ids += made
        spans += [
            (offset + start + share * k, offset + start + share * (k + 1)) for k in range(len(made))
        ]
    return ids, spans


def prompt_ids(tokens: Tokens, maker: ClipMaker) -> list[int]:
    """Returns a previous-text prompt of up to 223 tokens, sometimes with timestamps."""
    rng, ids, at = maker.rng, [], 0.0
    stamped = rng.random() < 0.5
    for _ in range(rng.randint(1, rng.choice((3, 10, 25)))):
        item = rng.choice(maker.pool)
        text, _ = sentence_tokens(tokens, item, 0.0, 0.3)
        end = at + item.end - item.start
        if stamped and end < 30:
            text = [tokens.timestamp(at), *text, tokens.timestamp(end)]
        ids += text
        at = end + rng.uniform(0.1, 1.0)
    return [tokens.prev, *ids[-223:]]


def make_target(tokens: Tokens, maker: ClipMaker, clip: Clip, shift: float) -> Target:
    """Returns the tokens that Whisper should write for ``clip``, with times ``shift`` s later."""
    rng = maker.rng
    head = prompt_ids(tokens, maker) if rng.random() < 0.35 else []
    ids, spans = [*head, tokens.sot], [None] * (len(head) + 1)
    stamps = rng.random() < (0.95 if clip.next_start is not None else 0.55)
    if not clip.placed:
        first = tokens.timestamp(rng.choice((0.0, 0.0, rng.uniform(0, 1))) + shift)
        ids += [first if stamps else tokens.notimestamps, tokens.eot]
        return Target(ids, [*spans, None, None], len(head))
    if not stamps:
        ids.append(tokens.notimestamps)
        spans.append(None)
    for place, (item, offset) in enumerate(clip.placed):
        start, end = offset + item.start, offset + item.end
        later = clip.placed[place + 1 :]
        after = later[0][1] + later[0][0].start if later else clip.next_start or end + 0.4
        pause = min(0.5, max(0.06, after - end))
        text, where = sentence_tokens(tokens, item, offset, pause)
        if stamps:
            first = min(start, MAX_FIRST_TIMESTAMP) if place == 0 and shift == 0 else start
            text = [tokens.timestamp(first + shift), *text, tokens.timestamp(end + shift)]
            where = [(start - 0.1, start + 0.06), *where, (end - 0.04, end + 0.12)]
        ids, spans = ids + text, spans + where
    if stamps and clip.next_start is not None:
        ids.append(tokens.timestamp(clip.next_start + shift))
        spans.append((clip.next_start - 0.1, clip.next_start + 0.06))
    ids.append(tokens.eot)
    spans.append((end + 0.02, end + 0.4))
    return Target(ids, spans, len(head))


@dataclass
class Batch:
    """Tensors of one training step; S is the encoder's frames, L the tokens."""

    mel: torch.Tensor  # float (B, 80, 2 S)
    shift: int  # encoder position of the first frame
    words: torch.Tensor  # int (B, S), -100 where padded
    before: torch.Tensor  # int (B, S): the word before that of the frame
    phones: torch.Tensor  # int (B, S)
    inputs: torch.Tensor  # int (B, L)
    labels: torch.Tensor  # int (B, L), -100 for nothing to learn
    own: torch.Tensor  # int (B, L, 2): encoder frames of the input token, -1 for none
    coming: torch.Tensor  # int (B, L, 2): encoder frames of the label


def previous_words(words: np.ndarray) -> np.ndarray:
    """Returns the word before each frame's word (frames), 0 at the start."""
    out, last, current = np.zeros_like(words), 0, 0
    edges = np.flatnonzero(np.diff(words)) + 1
    for begin, end in zip([0, *edges], [*edges, len(words)], strict=True):
        word = words[begin]
        if word:
            last, current = current, word
        out[begin:end] = last if word else current
    return out


def make_batch(
    tokens: Tokens, maker: ClipMaker, clips: list[Clip], frames: int, shift: int
) -> Batch:
    """Pads ``clips`` with 0.0 to ``frames`` mel frames; ``shift`` is in encoder frames."""
    count, half = len(clips), frames // 2
    mel = np.zeros((count, MELS, frames), np.float32)
    empty = np.full((count, half), -100, np.int64)
    labels = {name: empty.copy() for name in ("words", "before", "phones")}
    targets = []
    for row, clip in enumerate(clips):
        length = min(len(clip.log_power), frames)
        headroom = max(0.0, maker.rng.uniform(-0.5, 0.7))
        mel[row, :, :length] = normalise(clip.log_power, headroom)[:length].T
        usable = len(clip.words)
        labels["words"][row, :usable] = clip.words
        labels["before"][row, :usable] = previous_words(clip.words)
        labels["phones"][row, :usable] = clip.phones
        targets.append(make_target(tokens, maker, clip, shift * 0.02))
    longest = max(len(target.ids) for target in targets) - 1
    ids = np.full((count, longest + 1), tokens.eot, np.int64)
    wanted = np.full((count, longest), -100, np.int64)
    spans = np.full((count, longest + 1, 2), -1, np.int64)
    for row, target in enumerate(targets):
        size = len(target.ids)
        ids[row, :size] = target.ids
        wanted[row, target.masked : size - 1] = target.ids[target.masked + 1 :]
        if not clips[row].placed:
            wanted[row, target.masked] = tokens.nospeech
        for place, span in enumerate(target.spans):
            if span is not None:
                low = min(half - 1, max(0, round(span[0] * 50)))
                spans[row, place] = low, min(half, max(low + 1, round(span[1] * 50)))
    as_tensor = torch.from_numpy
    return Batch(
        as_tensor(mel),
        shift,
        as_tensor(labels["words"]),
        as_tensor(labels["before"]),
        as_tensor(labels["phones"]),
        as_tensor(ids[:, :-1]),
        as_tensor(wanted),
        as_tensor(spans[:, :-1]),
        as_tensor(spans[:, 1:]),
    )


def draw_batch(tokens: Tokens, maker: ClipMaker, phase: str) -> Batch:
    """Returns a random batch of the phase ``frames``, ``short`` or ``long``."""
    rng = maker.rng
    if phase == "long":
        clips = []
        for _ in range(8):
            kind = rng.random()
            if kind < 0.07:
                clips.append(maker.silence(rng.uniform(1, 30)))
            elif kind < 0.45:
                clips.append(maker.speech(30.0, cut=True))
            else:
                clips.append(maker.speech(rng.uniform(3, 30), cut=False))
        return make_batch(tokens, maker, clips, WINDOW, 0)
    seconds = rng.uniform(2.5, 6) if phase == "frames" else rng.triangular(4, 20, 7)
    clips = []
    for _ in range(max(6, int(150 / seconds))):
        if rng.random() < 0.04:
            clips.append(maker.silence(seconds))
        else:
            clips.append(maker.speech(seconds * rng.uniform(0.7, 1), cut=False))
    frames = 2 * math.ceil(seconds * 50)
    shift = rng.randint(0, POSITIONS - frames // 2) if rng.random() < 0.7 else 0
    return make_batch(tokens, maker, clips, frames, shift)


# ---------------------------------------------------------------- model (names as in transformers)


class Attention(nn.Module):
    """Multi-head attention with Whisper's biases."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(WIDTH, WIDTH, bias=False)
        self.v_proj = nn.Linear(WIDTH, WIDTH)
        self.q_proj = nn.Linear(WIDTH, WIDTH)
        self.out_proj = nn.Linear(WIDTH, WIDTH)

    def forward(
        self,
        x: torch.Tensor,
        memory: torch.Tensor,
        causal: bool = False,
        guided: tuple[int, ...] = (),
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """x (B, L, W), memory (B, S, W) -> (B, L, W), log weights of ``guided`` (B, G, L, S)."""
        q, k, v = (
            layer(y).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, y in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        logs = None
        if guided:
            picked = list(guided)
            scores = q[:, picked] @ k[:, picked].transpose(-1, -2) / math.sqrt(q.shape[-1])
            logs = scores.float().log_softmax(-1)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), logs


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each after normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = Attention(ENCODER_HEADS), nn.LayerNorm(WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.final_layer_norm = nn.LayerNorm(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, S, W) -> (B, S, W)."""
        y = self.self_attn_layer_norm(x)
        x = x + self.self_attn(y, y)[0]
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention and feed-forward, each after normalisation."""

    def __init__(self, guided: tuple[int, ...]) -> None:
        super().__init__()
        self.guided = guided
        self.self_attn, self.self_attn_layer_norm = Attention(DECODER_HEADS), nn.LayerNorm(WIDTH)
        self.encoder_attn = Attention(DECODER_HEADS)
        self.encoder_attn_layer_norm = nn.LayerNorm(WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.final_layer_norm = nn.LayerNorm(WIDTH)

    def forward(
        self,
        x: torch.Tensor,
        memory: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """(B, L, W), (B, S, W) -> (B, L, W), log attention of the guided heads."""
        y = self.self_attn_layer_norm(x)
        x = x + self.self_attn(y, y, causal=True)[0]
        y, logs = self.encoder_attn(self.encoder_attn_layer_norm(x), memory, guided=self.guided)
        x = x + y
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x)))), logs


def sinusoids() -> torch.Tensor:
    """Returns Whisper's fixed encoder positions, (1500, W)."""
    step = math.log(10000) / (WIDTH // 2 - 1)
    scales = torch.exp(-step * torch.arange(WIDTH // 2))
    angles = torch.arange(POSITIONS)[:, None] * scales[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Encoder(nn.Module):
    """Mel features to frames of 20 ms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(MELS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding.from_pretrained(sinusoids(), freeze=True)
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(ENCODER_LAYERS))
        self.layer_norm = nn.LayerNorm(WIDTH)

    def forward(self, mel: torch.Tensor, shift: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 80, 2 S) -> frames (B, S, W), frames below the last layer (B, S, W)."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.embed_positions.weight[shift : shift + x.shape[1]]
        lower = x
        for layer in self.layers:
            lower, x = x, layer(x)
        return self.layer_norm(x), lower


class Decoder(nn.Module):
    """Token ids and encoder frames to hidden states."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(size, WIDTH)
        self.embed_positions = nn.Embedding(TEXT_POSITIONS, WIDTH)
        # The first layer finds the word just written, the last layer the word to write.
        guides = [(0,), *[()] * (DECODER_LAYERS - 2), (0, 1)]
        self.layers = nn.ModuleList(DecoderLayer(guide) for guide in guides)
        self.layer_norm = nn.LayerNorm(WIDTH)

    def forward(
        self,
        ids: torch.Tensor,
        memory: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(B, L), (B, S, W) -> (B, L, W), log attention of first and last layer (B, G, L, S)."""
        x = self.embed_tokens(ids) + self.embed_positions.weight[: ids.shape[1]]
        attention = []
        for layer in self.layers:
            x, logs = layer(x, memory)
            attention.append(logs)
        return self.layer_norm(x), attention[0], attention[-1]


class TinyWhisper(nn.Module):
    """Whisper with the training-only heads ``word_head``, ``before_head`` and ``phone_head``."""

    def __init__(self, size: int, words: int, phones: int) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder(size)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.05)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for table in (self.decoder.embed_tokens, self.decoder.embed_positions):
            nn.init.normal_(table.weight, std=0.05)
        self.word_head, self.before_head = nn.Linear(WIDTH, words + 1), nn.Linear(WIDTH, words + 1)
        self.phone_head = nn.Linear(WIDTH, phones + 1)

    def losses(self, batch: Batch, decode: bool) -> dict[str, torch.Tensor]:
        """Returns the losses of one batch, by name."""
        frames, lower = self.encoder(batch.mel, batch.shift)
        out = {
            "word": frame_loss(self.word_head(frames), batch.words),
            "before": frame_loss(self.before_head(frames), batch.before),
            "phone": frame_loss(self.phone_head(lower), batch.phones),
        }
        if decode:
            hidden, first, last = self.decoder(batch.inputs, frames)
            keep = batch.labels != -100
            logits = hidden[keep] @ self.decoder.embed_tokens.weight.T
            out["text"] = text_loss(logits.float(), batch.labels[keep])
            out["own"] = guide_loss(first, batch.own, keep, even=False)
            out["coming"] = guide_loss(last, batch.coming, keep, even=True)
        return out


def text_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy of logits (N, V) with labels (N), which tolerates nearby timestamps.

    A timestamp's weight is spread over 0.08 s on either side, so that the 1501 timestamps, each of
    which is rare, learn from their neighbours.
    """
    logs = logits.log_softmax(-1)
    first = logits.shape[1] - len(TIMESTAMPS)
    steps = torch.arange(-4, 5)
    weights = 5.0 - steps.abs()
    stamps = labels >= first
    near = (labels[stamps, None] + steps).clamp(first, logits.shape[1] - 1)
    soft = -(logs[stamps].gather(1, near) * (weights / weights.sum())).sum(-1)
    hard = F.nll_loss(logs[~stamps], labels[~stamps], reduction="sum")
    return (soft.sum() + hard) / len(labels)


def frame_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy over frames: logits (B, S, C), labels (B, S) with -100 for padding."""
    return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100)


def guide_loss(
    logs: torch.Tensor,
    spans: torch.Tensor,
    keep: torch.Tensor,
    even: bool,
) -> torch.Tensor:
    """Measures how far attention is from each token's sound.

    ``logs`` (B, G, L, S) log weights, ``spans`` (B, L, 2) frames. With ``even``, the weights
    should cover the whole span, which makes word times right; otherwise any place inside is
    enough.
    """
    place = torch.arange(logs.shape[-1])
    inside = (place >= spans[..., :1]) & (place < spans[..., 1:])
    rows = keep & (spans[..., 0] >= 0)
    picked, mask = logs.transpose(1, 2)[rows], inside[rows][:, None]  # (N, G, S), (N, 1, S)
    if even:
        return -((picked * mask).sum(-1) / mask.sum(-1)).mean()
    return -picked.masked_fill(~mask, -1e4).logsumexp(-1).mean()


# ---------------------------------------------------------------- export


def export(model: TinyWhisper, tokenizer_json: Path, folder: Path) -> None:
    """Writes ``model`` as an int8 CTranslate2 folder; replaces ``folder`` in one step."""
    from ctranslate2.converters.transformers import WhisperLoader
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    tokens = Tokens(tokenizer_json)
    config = WhisperConfig(
        vocab_size=tokens.size,
        d_model=WIDTH,
        num_mel_bins=MELS,
        encoder_layers=ENCODER_LAYERS,
        encoder_attention_heads=ENCODER_HEADS,
        encoder_ffn_dim=4 * WIDTH,
        decoder_layers=DECODER_LAYERS,
        decoder_attention_heads=DECODER_HEADS,
        decoder_ffn_dim=4 * WIDTH,
        max_source_positions=POSITIONS,
        max_target_positions=TEXT_POSITIONS,
        pad_token_id=tokens.eot,
        bos_token_id=tokens.eot,
        eos_token_id=tokens.eot,
        decoder_start_token_id=tokens.sot,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    whole = WhisperForConditionalGeneration(config)
    state = {
        f"model.{name}": value for name, value in model.state_dict().items() if "_head" not in name
    }
    state["proj_out.weight"] = model.decoder.embed_tokens.weight
    whole.load_state_dict(state, strict=True)
    spec = WhisperLoader().get_model_spec(whole.eval())
    spec.register_vocabulary([tokens.tokenizer.id_to_token(k) for k in range(tokens.size)])
    # Nothing is suppressed at the start, so that an empty window can end at once.
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids, spec.config.alignment_heads = [], ALIGNMENT_HEADS
    spec.validate()
    spec.optimize("int8")
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    spec.save(str(fresh))
    shutil.copyfile(tokenizer_json, fresh / "tokenizer.json")
    settings = {
        "chunk_length": 30,
        "feature_size": MELS,
        "hop_length": corpus.HOP,
        "n_fft": 400,
        "sampling_rate": corpus.SAMPLE_RATE,
    }
    (fresh / "preprocessor_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    if (folder / "README.md").exists():
        shutil.copyfile(folder / "README.md", fresh / "README.md")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


# ---------------------------------------------------------------- training


def load_pool(data: Path, held_out: int = 900) -> list[corpus.Recording]:
    """Returns all recordings of ``data/pool*.pkl`` except those of the held-out seed."""
    files = sorted(path for path in data.glob("pool*.pkl") if path.stem != f"pool{held_out}")
    return [item for path in files for item in corpus.read_pool(path)]


def phase_at(progress: float) -> str:
    """Returns the phase at ``progress`` (0 to 1) of the training time."""
    return "frames" if progress < 0.14 else "short" if progress < 0.5 else "long"


def learning_rate(step: int, progress: float, peak: float) -> float:
    """Warms up by steps, then falls to 2 % on a cosine over time."""
    return peak * min(1.0, step / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def weigh(losses: dict[str, torch.Tensor], progress: float) -> torch.Tensor:
    """Combines the losses: the encoder's own tasks count less once text training starts."""
    aids = 1.0 if progress < 0.3 else 0.3
    frames = losses["word"] + 0.5 * losses["before"] + 0.5 * losses["phone"]
    if "text" not in losses:
        return frames
    return losses["text"] + aids * frames + 0.3 * losses["own"] + 0.3 * losses["coming"]


def train(args: argparse.Namespace) -> None:
    """Trains for ``args.minutes`` and exports every few minutes."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tokenizer_json = args.data / "tokenizer.json"
    if not tokenizer_json.exists():
        rng = random.Random(7)
        make_tokenizer(tokenizer_json, [corpus.sentence(rng) for _ in range(20_000)])
    tokens = Tokens(tokenizer_json)
    maker = ClipMaker(load_pool(args.data), args.seed)
    model = TinyWhisper(tokens.size, len(maker.word_ids), len(maker.phone_ids))
    if args.resume:
        model.load_state_dict(torch.load(args.resume, weights_only=True))
    print(
        f"{len(maker.pool)} recordings, {len(maker.word_ids)} words, {tokens.size} tokens, "
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters",
        flush=True,
    )
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=args.peak, betas=(0.9, 0.98), weight_decay=0.01
    )
    begun = saved = pooled = time.monotonic()
    step, sums, told = 0, {}, time.monotonic()
    files = len(list(args.data.glob("pool*.pkl")))
    while (
        progress := args.start + (1 - args.start) * (time.monotonic() - begun) / (60 * args.minutes)
    ) < 1:
        phase = phase_at(progress)
        batch = draw_batch(tokens, maker, phase)
        with torch.autocast("cpu", torch.bfloat16):
            losses = model.losses(batch, decode=phase != "frames")
        optimiser.zero_grad(set_to_none=True)
        weigh(losses, progress).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, progress, args.peak)
        optimiser.step()
        step += 1
        for name, value in losses.items():
            sums.setdefault(name, []).append(value.item())
        if step % 50 == 0:
            shown = " ".join(f"{name} {np.mean(values):.3f}" for name, values in sums.items())
            pace = (time.monotonic() - told) / 50
            print(f"{progress:.3f} {phase} step {step} {pace:.2f} s/step {shown}", flush=True)
            sums, told = {}, time.monotonic()
        if time.monotonic() - saved > 60 * args.save_minutes:
            save(model, tokenizer_json, args)
            saved = time.monotonic()
        if time.monotonic() - pooled > 45:  # there may be new recordings
            pooled = time.monotonic()
            if len(list(args.data.glob("pool*.pkl"))) > files:
                maker.pool, files = load_pool(args.data), len(list(args.data.glob("pool*.pkl")))
    save(model, tokenizer_json, args)


def save(model: TinyWhisper, tokenizer_json: Path, args: argparse.Namespace) -> None:
    """Writes a checkpoint and exports the model."""
    torch.save(model.state_dict(), args.data / "checkpoint.tmp")
    (args.data / "checkpoint.tmp").rename(args.data / "checkpoint.pt")
    export(model, tokenizer_json, args.out)


def main() -> None:
    """Reads the options and trains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with pool*.pkl")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--minutes", type=float, default=65)
    parser.add_argument("--start", type=float, default=0.0, help="progress to begin at (0 to 1)")
    parser.add_argument("--resume", type=Path, help="checkpoint.pt to go on from")
    parser.add_argument("--peak", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--save-minutes", type=float, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
