"""Programs are started in folders that hold anything: nothing of it is run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx

from ui.site import free_port
from ui.test_up import answers
from web.process import command_of, descendants_of
from web.support import WAIT_S, audio, wait_until

TRAPS = (
    *("queue.py", "asyncio.py", "numpy.py", "structlog.py", "streamlit.py", "pocketsphinx.py"),
    *("sitecustomize.py", "usercustomize.py", "member.py", "engine.py"),
    *("frontend/__init__.py", "echostream_ui/__init__.py", "echostream/__init__.py"),
)


def test_nothing_in_the_folder_is_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (folder := tmp_path / "folder").mkdir()
    for name in TRAPS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(
            f"open({str(ran)!r}, 'a').write({name!r} + ' ')\nraise SystemExit({name!r})\n"
        )
    api, frontend = free_port(), free_port()
    settings = {
        "ASR_ENGINE": "pocketsphinx",
        "WEB_CONCURRENCY": "2",
        "PORT": str(api),
        "FRONTEND_PORT": str(frontend),
        "LIBRARY_PATH": str(tmp_path / "library"),
    }
    with subprocess.Popen(
        [Path(sys.executable).with_name("echostream"), "up"],
        cwd=folder,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as popen:
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{frontend}/_stcore/health"), "it is up")
            wait_until(lambda: answers(f"http://127.0.0.1:{api}/health"), "the API is up")
            url = f"http://127.0.0.1:{api}/upload-audio"
            response = httpx.post(url, files=audio(), timeout=60, trust_env=False)
            assert response.status_code == 200, response.text
            commands = " ".join(map(command_of, descendants_of(popen.pid)))
            assert all(
                what in commands
                for what in (" engine ", " members ", "sphinx_child", "-m echostream_ui")
            )
            popen.send_signal(signal.SIGTERM)
            popen.wait(WAIT_S)
        finally:
            popen.kill()
    assert not ran.exists(), ran.read_text()
