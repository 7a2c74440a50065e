"""The `echostream` command as a user runs it, in a process of its own."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

import forks
from conftest import (
    SAMPLE,
    TINY_WHISPER,
    sample_pcm,
    sample_text,
    word_error_rate,
    write_wav,
)
from echostream.domain import Step
from echostream.show import WorkBar

COMMAND = [sys.executable, "-m", "echostream"]
OFFLINE = {"ASR_ENGINE": "whisper", "WHISPER_MODEL": str(TINY_WHISPER)}


def run(*args: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return forks.run([*COMMAND[1:], *args], os.environ | OFFLINE | environment)


def run_alone(*args: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """In an interpreter of its own, which pipes lead to and from."""
    return subprocess.run(
        [*COMMAND, *args],
        env=os.environ | OFFLINE,
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first sentence of the sample."""
    return write_wav(tmp_path_factory.mktemp("clip") / "clip.wav", sample_pcm()[: 16_000 * 2])


SPOKEN = "Thank you for joining the meeting."


HEAVY = ("numpy", "pydantic", "fastapi", "faster_whisper", "ctranslate2", "bullmq", "openai")


def test_help_loads_nothing_heavy():
    """Else it would not answer at once. Looked at, since a time depends on what else runs."""
    code = f"import sys, echostream.cli; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert b"transcribe" in run_alone("--help").stdout


def test_version():
    assert run("--version").stdout.startswith(b"echostream ")


def test_a_pipe_gets_the_text_and_nothing_else(clip):
    done = run_alone("transcribe", str(clip))
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == SPOKEN + "\n"
    assert done.stderr == b"", "no progress where there is no terminal"


def test_the_whole_sample():
    """With a model that the command names, which no setting offers."""
    done = run("transcribe", str(SAMPLE), "--model", str(TINY_WHISPER), WHISPER_MODEL="base")
    assert word_error_rate(sample_text(), done.stdout.decode()) <= 0.10


@pytest.mark.parametrize(
    ("as_format", "first"), [("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n"), ("md", "# ")]
)
def test_formats(clip, as_format, first):
    assert run("transcribe", str(clip), "-f", as_format).stdout.decode().startswith(first)


def test_json_has_insights_unless_told_not_to(clip):
    answer = json.loads(run("transcribe", str(clip), "-f", "json", "--words").stdout)
    assert answer["transcript"] == SPOKEN
    assert answer["insights"]["details"]["meta"]["provider"] == "extractive"
    assert answer["segments"][0]["words"][0]["word"] == "Thank"
    without = json.loads(run("transcribe", str(clip), "-f", "json", "--no-insights").stdout)
    assert without["insights"] is None


def test_a_template_that_only_a_language_model_fills(clip):
    done = run("transcribe", str(clip), "-f", "json", "--template", "lecture")
    details = json.loads(done.stdout)["insights"]["details"]
    assert details["meta"]["template"] == "lecture"
    assert "only a language model" in details["meta"]["degraded_reason"]
    assert [section["items"] for section in details["sections"]] == [[]] * 4


def test_a_day_of_the_recording_that_is_none(clip):
    done = run("transcribe", str(clip), "--recorded-at", "Friday")
    assert done.returncode != 0
    assert b"must be a date such as 2026-11-26" in done.stderr
    assert run("transcribe", str(clip), "--recorded-at", "2026-11-26").returncode == 0


def test_stdin(clip):
    done = run_alone("transcribe", "-", stdin=clip.read_bytes())
    assert done.stdout.decode() == SPOKEN + "\n"


def test_files_into_a_folder(clip, tmp_path):
    other = tmp_path / "other.wav"
    other.write_bytes(clip.read_bytes())
    done = run("transcribe", str(clip), str(other), "-o", "out/deep", "-f", "srt")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    written = sorted(path.name for path in (tmp_path / "out" / "deep").iterdir())
    assert written == ["clip.srt", "other.srt"]


def test_two_sources_of_one_name_are_refused_before_any_work(clip, tmp_path):
    same = tmp_path / "clip.mp3"
    same.write_bytes(clip.read_bytes())
    done = run("transcribe", str(clip), str(same), "-o", "out")
    assert done.returncode == 1
    assert b"two sources would be written to" in done.stderr
    assert not list((tmp_path / "out").iterdir())


def test_a_bad_source_does_not_stop_the_next(clip, tmp_path):
    junk = tmp_path / "junk.mp3"
    junk.write_text("not audio")
    done = run("transcribe", str(junk), "missing.wav", str(clip))
    assert done.returncode == 1
    assert done.stdout.decode() == SPOKEN + "\n"
    errors = [line for line in done.stderr.decode().splitlines() if line.startswith("echostream:")]
    assert len(errors) == 2
    assert "junk.mp3: The file is not audio" in errors[0]
    assert "missing.wav: No such file" in errors[1]


def test_a_private_url_is_refused_in_words():
    done = run("transcribe", "http://127.0.0.1:9/a.mp3")
    assert done.returncode == 1
    assert b"not public" in done.stderr


def test_speakers_that_contradict_each_other_are_one_line(clip, tmp_path):
    done = run("transcribe", str(clip), "--min-speakers", "3", "--max-speakers", "2")
    assert done.returncode == 1
    assert done.stderr.decode().startswith("echostream: max_speakers: must not be below 3")
    (known := tmp_path / "known.json").write_text('[{"name": "Ann", "voice": "?"}]')
    done = run("transcribe", str(clip), "--known-speakers", str(known))
    assert done.stderr.decode().startswith("echostream: known_speakers.0.voice: must be a `voice`")


def test_an_option_that_is_not_valid_is_one_line(clip):
    done = run("transcribe", str(clip), "--language", "klingon!")
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "echostream: language: must be an ISO 639-1 code such as 'en'\n"
    )


def test_usage_errors():
    assert run("transcribe").returncode == 2
    assert run("transcribe", "a.wav", "-f", "docx").returncode == 2


def test_a_bad_setting_is_one_line():
    done = run("transcribe", "a.wav", MAX_UPLOAD_MB="many")
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1
    assert b"MAX_UPLOAD_MB" in done.stderr


@pytest.mark.parametrize("command", [("transcribe", "a.wav"), ("serve", "--port", "0")])
def test_settings_that_do_not_fit_together_are_one_line(command):
    done = run(*command, INSIGHTS_PROVIDER="gemini")
    assert done.returncode == 1
    assert done.stderr.decode() == "echostream: INSIGHTS_PROVIDER=gemini needs GEMINI_API_KEY\n"


def test_a_closed_pipe_is_no_traceback(clip):
    with subprocess.Popen(
        [*COMMAND, "transcribe", str(clip)],
        env=os.environ | OFFLINE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_interrupt_ends_the_work_and_its_children():
    with subprocess.Popen(
        [*COMMAND, "transcribe", str(SAMPLE), str(SAMPLE)],
        env=os.environ | {"ASR_ENGINE": "pocketsphinx", "LOG_LEVEL": "info"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the engine has been loaded
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_on_a_terminal_it_is_made_for_reading(clip):
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "transcribe", str(clip)],
        env=os.environ | OFFLINE | {"TERM": "xterm", "COLUMNS": "80"},
        stdin=slave,
        stdout=slave,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(slave)
        shown = b""
        # Reading from a terminal whose other end has closed is an error on Linux.
        while chunk := read_terminal(master):
            shown += chunk
    os.close(master)
    assert process.returncode == 0
    assert "Transcript" in shown.decode()
    assert "Insights" in shown.decode()


def test_progress_on_a_terminal_is_gone_when_done(clip):
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "transcribe", str(clip)],
        env=os.environ | OFFLINE | {"TERM": "xterm", "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
    ) as process:
        os.close(slave)
        shown = b""
        while chunk := read_terminal(master):
            shown += chunk
        assert process.stdout is not None
        assert process.stdout.read().decode() == SPOKEN + "\n"
    os.close(master)
    assert "clip.wav " in shown.decode()
    assert " transcribing " in shown.decode()
    assert SPOKEN in shown.decode()
    assert shown.decode().endswith(ERASED)


ERASED = "\r\x1b[1A\x1b[2K\x1b[1A\x1b[2K"
"""The cursor goes up over two lines, and both are emptied."""


@pytest.mark.parametrize(
    ("width", "bar", "text"),
    [
        (
            80,
            "[b]talk.wav ",
            "…Monday it goes on and on from Monday to Wednesday and then 日本 (nihon) is next",
        ),
        (44, "[b]talk.… transcribing", "… to Wednesday and then 日本 (nihon) is next"),
    ],
)
def test_the_bar_shows_share_time_left_and_the_end_of_the_text(width, bar, text):
    """Each in as much room as there is."""
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    with WorkBar(console, "[b]talk.wav") as shown:
        shown.update(Step("decoding"))
        said = "it goes on and on from Monday " * 2 + "to Wednesday and then 日本 (nihon)\nis next"
        shown.update(Step("transcribing", 0.424, said, 65.2))
    assert bar in screen.getvalue()
    assert " transcribing " in screen.getvalue()
    assert "42%    1:05 left" in screen.getvalue()
    assert text in screen.getvalue().splitlines()
    assert cell_len(text) in (width - 1, width)


def read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def test_list_models():
    done = run("models", "list", COLUMNS="100")
    assert done.returncode == 0, done.stderr
    assert b"large-v3" in done.stdout
