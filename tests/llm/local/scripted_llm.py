"""A language model's process around a model that does as the prompt says.

python scripted_llm.py SOCKET

`FOLDER` is where it notes what happens: a line `loaded`, `answering`, `stopped`
or `unloaded` in `events`.
"""

import os
import signal
import sys
import time
from pathlib import Path

from echostream.llm.local.host import run
from echostream.llm.local.llama import Tell
from echostream.llm.local.wire import Chat, Ended
from echostream.logs import configure_logging

ANSWER = '{"title": "Hello", "summary": "Somebody says hello.", "topics": []}'


class ScriptedLlama:
    def __init__(self) -> None:
        if load_s := float(os.environ.get("LOAD_S", "0")):
            note("loading")
            time.sleep(load_s)
        note("loaded")

    def chat(self, asked: Chat, tell: Tell) -> Ended:
        prompt = asked.messages[1].text  # the user's first
        if "die" in prompt:
            os.kill(os.getpid(), signal.SIGKILL)
        if "crash" in prompt:
            raise RuntimeError(f"cannot do {prompt}")
        if "stuck" in prompt:
            tell("I ")
            time.sleep(600)
        if "slow" in prompt:
            note("answering")
            while not tell("on and "):
                time.sleep(0.01)
            note("stopped")
            return Ended(True, 5, 1)
        said = "Sure!" if "garbage" in prompt else ANSWER
        for start in range(0, len(said), 7):
            tell(said[start : start + 7])
        return Ended("cut" in prompt, 900, 9)

    def close(self) -> None:
        note("unloaded")


def note(event: str) -> None:
    with (Path(os.environ["FOLDER"]) / "events").open("a") as file:
        file.write(f"{event}\n")


if __name__ == "__main__":
    configure_logging("info")
    run(Path(sys.argv[1]), ScriptedLlama, float(os.environ["IDLE_S"]), stop_s=0.5)
