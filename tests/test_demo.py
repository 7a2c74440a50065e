"""`make demo`'s program on the embedded engine: what a newcomer sees first."""

import os
import re
import subprocess
import sys

from conftest import ROOT, sample_facts, sample_text, word_error_rate


def test_the_demo_reads_the_sample_and_finds_what_is_planted():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py")],
        env=os.environ | {"ASR_ENGINE": "pocketsphinx", "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    transcript, _, insights = done.stdout.partition("Insights, by")
    spoken = re.findall(r"^│\s+\d+:\d\d\s+(.*?)\s*│$", transcript, re.MULTILINE)
    assert word_error_rate(sample_text(), " ".join(spoken)) <= 0.25
    lines = [set(re.findall(r"\w+", line.lower())) for line in insights.splitlines()]
    planted = [set(item.lower().split()) for item in sample_facts()["action_items"]]
    assert sum(any(item <= line for line in lines) for item in planted) >= 2
    topics = re.search(r"Topics(.*)", insights)[1]
    assert sum(topic in topics for topic in sample_facts()["topics"]) >= 3
