"""Put faults into the guards, one at a time, and see whether their tests notice.

`python scripts/mutants.py net hosts` for some, without names for all. What survives is either a gap
in the tests or makes no difference; `docs/explanation/security.md` says which.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from faults import Mutant, mutants

ROOT = Path(__file__).parent.parent
GUARDS = {
    "net": ("echostream/net.py", "tests/test_net.py"),
    "hosts": ("echostream/hosts.py", "tests/test_hosts.py"),
    "checks": ("echostream/checks.py", "tests/test_checks.py"),
    "named_tokens": ("echostream/named_tokens.py", "tests/test_named_tokens.py"),
    "keyring": ("echostream/web/keyring.py", "tests/test_named_tokens.py"),
    "auth": (
        "echostream/web/auth.py",
        "tests/web/test_auth.py tests/web/realtime/test_refusals.py tests/jobs/test_owners.py",
    ),
    "passwords": ("echostream/passwords.py", "tests/test_passwords.py"),
    "private_files": ("echostream/private_files.py", "tests/test_private_files.py"),
    "safe_headers": ("echostream/safe_headers.py", "tests/test_hosts.py"),
    "webhooks": ("echostream/webhooks.py", "tests/test_webhooks.py"),
    "agreement": ("echostream/streaming/agreement.py", "tests/streaming/test_agreement.py"),
    "assignment": ("echostream/diarization/assignment.py", "tests/diarization/test_assignment.py"),
    "speakers": ("echostream/speakers.py", "tests/test_speakers.py"),
    "merging": ("echostream/merging.py", "tests/test_merging.py"),
    "door": ("echostream_ui/door/__init__.py", "tests/ui/door/test_door.py"),
    "attempts": ("echostream_ui/door/attempts.py", "tests/ui/door/test_attempts.py"),
    "people": ("echostream_ui/door/people.py", "tests/ui/door/test_people.py"),
    "visitors": ("echostream_ui/door/visitors.py", "tests/ui/door/test_visitors.py"),
}
_MOST_TIMES, _LEAST_S = 4, 20.0
"""A run that takes so many times as long as one without a fault hangs, which is noticed too."""


def main() -> int:
    """Returns 1 if something survived."""
    return int(any([judge(name) for name in sys.argv[1:] or GUARDS]))


def judge(name: str) -> bool:
    """Judges one guard in a process of its own; returns whether something survived."""
    if (child := os.fork()) == 0:
        module, tests = GUARDS[name]
        os.chdir(ROOT)
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree("src", folder, dirs_exist_ok=True)
            sys.path.insert(0, folder)
            os.environ["PYTHONPATH"] = folder  # for the programs that tests start
            plugin = Judge(name, Path(folder, module))
            pytest.main(["-n0", "-x", "-s", "-p", "no:cacheprovider", *tests.split()], [plugin])
        os._exit(plugin.survived > 0)
    return os.waitpid(child, 0)[1] != 0


class Judge:
    """Plugin of pytest: the tests are collected once, and run in a fork for each mutant."""

    def __init__(self, name: str, file: Path) -> None:
        self.survived = 1  # until all have been judged
        self._name = name
        self._file = file
        self._limit_s = 600.0
        self._is_fork = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool | None:
        source = self._file.read_text(encoding="utf-8")
        lines, survived, number = source.splitlines(), 0, 0
        whole = Mutant(1, "none", source)
        begun_s = time.monotonic()
        for number, mutant in enumerate((whole, *mutants(source))):
            if (child := os.fork()) == 0:
                self._become(mutant, number)
                return None  # so pytest goes on to run the tests
            passes = _exit_code(child, self._limit_s) == 0
            if mutant is whole and not passes:
                raise pytest.UsageError(f"{self._name}: its tests fail without a fault")
            if mutant is whole:
                self._limit_s = max(_LEAST_S, _MOST_TIMES * (time.monotonic() - begun_s))
            if mutant is not whole and passes:
                survived += 1
                where, said = f"{self._name}:{mutant.line}", lines[mutant.line - 1].strip()
                print(f"{where}: {mutant.fault}: {said}", flush=True)
        print(f"{self._name}: {number - survived} of {number} noticed", flush=True)
        self.survived = survived
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if self._is_fork:
            os._exit(exitstatus)

    def _become(self, mutant: Mutant, number: int) -> None:
        self._is_fork = True
        os.setsid()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        self._file.write_text(mutant.source, encoding="utf-8")
        os.utime(self._file, (number, number))  # no bytecode of an earlier one passes for it
        for name, module in list(sys.modules.items()):
            if getattr(module, "__file__", None) == str(self._file):
                scope = {"__name__": name, "__file__": str(self._file)}
                exec(compile(mutant.source, self._file, "exec"), scope)  # noqa: S102
                _take_over(module, scope)


def _exit_code(child: int, limit_s: float) -> int | None:
    """None if its tests hang."""
    end_s = time.monotonic() + limit_s
    code = None
    while code is None and time.monotonic() < end_s:
        time.sleep(0.01)
        done, status = os.waitpid(child, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if done else None
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # also what its tests have started
    if code is None:
        os.waitpid(child, 0)
    return code


def _take_over(module: ModuleType, scope: dict[str, Any]) -> None:
    """Gives a module that others have imported the code and the constants of its mutant."""
    for name, new in scope.items():
        old = vars(module).get(name)
        if isinstance(new, type) and new.__module__ == module.__name__:
            for each, part in vars(new).items():
                _replace_code(vars(old).get(each), part)
        elif callable(new):
            _replace_code(old, new)
        elif not name.startswith("__") and repr(new) != repr(old):
            users = [each for each in sys.modules.values() if vars(each).get(name) is old]
            for user in users:
                setattr(user, name, new)


def _replace_code(old: Any, new: Any) -> None:
    for inner in ("__wrapped__", "__func__", "fget"):
        if hasattr(new, inner):
            _replace_code(getattr(old, inner), getattr(new, inner))
            return
    if isinstance(new, FunctionType):
        old.__code__, old.__defaults__ = new.__code__, new.__defaults__
        old.__kwdefaults__ = new.__kwdefaults__


if __name__ == "__main__":
    sys.exit(main())
