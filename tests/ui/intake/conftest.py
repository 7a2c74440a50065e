"""An intake that is quick to look and to try again."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from echostream_ui.intake import Intake
from echostream_ui.intake.staging import Staging
from ui.standins import ScriptedApi

Start = Callable[[ScriptedApi], Intake]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    running: list[Intake] = []

    def begin(api: ScriptedApi) -> Intake:
        staging = Staging(tmp_path / "staging")
        running.append(Intake(api, staging, at_once=2, poll_s=0.01, pause_s=0.01))
        return running[-1]

    yield begin
    for intake in running:
        await intake.aclose()
