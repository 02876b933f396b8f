"""The kinds of trials. Each changes what happens to one command, gives the command again, and judges what is there."""

import collections
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hub
from scenarios import Scenario, content, names
from zygote import Ended, Zygote

ERRORS = {"ENOSPC": 28, "EDQUOT": 122, "EIO": 5}
SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP}
ORPHANED = 20.0
"""Seconds in which the processes of a killed launcher end, on a busy machine."""


@dataclass
class Tally:
    """What came of the trials of one kind, and a line for each that went wrong."""

    name: str
    deadline: float
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: int = 0

    def drawn(self, of: Sequence[Any], chance: random.Random, most: int | None) -> Iterator[Any]:
        """The trials, in a drawn order, as long as there is time."""
        begun = time.monotonic()
        for one in chance.sample(of, len(of))[:most]:
            if time.monotonic() > self.deadline:
                break
            yield one
        tried, seconds = sum(self.counts.values()), time.monotonic() - begun
        print(f"{self.name}: {tried} of {len(of)} tried, {self.wrong} went wrong, {seconds:.0f} s", flush=True)
        for name, count in self.counts.most_common():
            print(f"  {count:5} {name}", flush=True)

    def note(self, what: str, place: object, problem: str | None) -> None:
        self.counts["went wrong" if problem else what] += 1
        if problem:
            self.wrong += 1
            print(f"WRONG {self.name} {place}: {what}: {problem}", flush=True)


@dataclass(frozen=True)
class Trials:
    """The trials of one scenario. `expected`: the outcome of the undisturbed command, which made `calls` calls."""

    zygote: Zygote
    scenario: Scenario
    expected: Mapping[str, Any]
    calls: int
    environment: Mapping[str, str]

    @classmethod
    def of(cls, zygote: Zygote, scenario: Scenario, **environment: str) -> "Trials":
        """Raises AssertionError where the undisturbed command fails."""
        if scenario.name == "push":  # see `requests`
            return cls(zygote, scenario, {}, 0, environment)
        scenario.prepare()
        ended = zygote.run(scenario.command, **environment)
        assert ended.code == 0, ended.said
        calls = zygote.library.count
        found = cls(zygote, scenario, scenario.outcome(scenario.root), calls, environment)
        print(f"{scenario.name}: undisturbed {ended.seconds:.1f} s, {calls} calls that change files", flush=True)
        return found

    def run(self, what: str = "count", **environment: str) -> Ended:
        return self.zygote.run(self.scenario.command, what, **self.environment, **environment)

    # -- what is wrong, or None

    def again(self) -> str | None:
        """Of the same command, given again."""
        ended = self.run()
        repeated = ended.code == 2 and self.scenario.repeated is not None and self.scenario.repeated in ended.said
        if ended.code and not repeated or "Traceback" in ended.said:
            return f"given again, exit code {ended.code}: {ended.said[-1500:]}"
        try:
            found = self.scenario.outcome(self.scenario.root)
        except Exception as e:
            return f"given again: {type(e).__name__} {e}"
        return self.differences(found)

    def differences(self, found: Mapping[str, Any]) -> str | None:
        keys = [key for key in sorted(self.expected.keys() | found.keys()) if self.expected.get(key) != found.get(key)]
        words = [f"{key} ({difference(self.expected.get(key), found.get(key))})" for key in keys]
        return f"given again, other {', '.join(words)}" if keys else None

    def torn(self) -> str | None:
        """Of files that must be whole at any moment."""
        root, before = self.scenario.root, self.scenario.before
        for name in self.scenario.whole:
            for one in (name, *(key for key in self.expected if key.startswith(f"{name}/"))):
                allowed = {self.expected[one], content(before / one) if before and (before / one).exists() else None}
                if (root / name).exists() and (not (root / one).exists() or content(root / one) not in allowed):
                    return f"{one} was not whole"
        return None

    def answer(self, ended: Ended, codes: Sequence[int]) -> str | None:
        """Of how a command answered: exit code, one message, no traceback, the status."""
        messages = [line for line in ended.said.splitlines() if line.startswith("error")]
        if "Traceback" in ended.said or ended.code not in codes or (ended.code == 2 and len(messages) != 1):
            return f"exit code {ended.code}: {ended.said[-1500:]}"
        for file in self.scenario.root.rglob("status.json"):
            status = json.loads(file.read_text(encoding="utf-8"))["status"]
            fits = {0: {"finished"}, 2: {"failed", "finished"}}.get(ended.code, {"interrupted", "finished"})
            if status not in fits and self.scenario.command[0] == "train":
                return f"exit code {ended.code}, status {status}: {ended.said[-1500:]}"
        return None

    # -- the kinds

    def states(self, tally: Tally, chance: random.Random, most: int | None) -> None:
        """From each different state of the files that an undisturbed command passes, the command goes on."""
        with tempfile.TemporaryDirectory(dir=self.zygote.library.folder) as folder:
            for state in tally.drawn(self.passed(Path(folder)), chance, most):
                self.scenario.prepare(state)
                tally.note("identical", state.name, self.torn() or self.again())

    def passed(self, folder: Path) -> list[Path]:
        """A copy of each different state: what kill -9 would leave there."""
        self.scenario.prepare()
        pid = self.zygote.start(self.scenario.command, "stop", **self.environment)
        seen, found = set[int](), list[Path]()
        while os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]):
            root = self.scenario.root
            state = hash(tuple((name, content_now(root / name)) for name in names(root)))
            if state not in seen:
                seen.add(state)
                found.append(folder / f"{self.zygote.library.count:05}")
                shutil.copytree(root, found[-1], symlinks=True)
            os.kill(pid, signal.SIGCONT)
        return found

    def failures(self, tally: Tally, chance: random.Random, most: int | None) -> None:
        """Each call fails once, and all later ones that need room; then the command is given again."""
        for n in tally.drawn(range(1, self.calls + 1), chance, most):
            name, number = chance.choice(list(ERRORS.items()))
            self.scenario.prepare()
            ended = self.run(f"fail {n} {number}")
            what = f"{name}: {'one message' if ended.code else 'not needed'}, then identical"
            tally.note(what, n, self.answer(ended, (0, 2)) or self.torn() or self.again())

    def signals(self, tally: Tally, chance: random.Random, most: int | None) -> None:
        """SIGTERM or SIGHUP before each call; then the command is given again."""
        for n in tally.drawn(range(1, self.calls + 1), chance, most):
            name, number = chance.choice(list(SIGNALS.items()))
            self.scenario.prepare()
            ended = self.run(f"kill {n} {number}")
            what = f"{name}: {'answered' if ended.code else 'finished before'}, then identical"
            problem = self.answer(ended, (0, 128 + number)) or self.torn()
            tally.note(what, n, problem or self.again())

    def chains(self, tally: Tally, chance: random.Random, most: int | None) -> None:
        """Kill -9 at a drawn call, of the command and of each of the next four; then the command is given again."""
        for n in tally.drawn(range(most or 100), chance, most):
            self.scenario.prepare()
            places = [chance.randint(1, self.calls) for _ in range(5)]
            for place in places:
                self.run(f"kill {place} 9")
            tally.note("identical", f"{n}: {places}", self.torn() or self.again())

    def launchers(self, tally: Tally, chance: random.Random, most: int | None) -> None:
        """Kill -9 of the launcher of several processes, or of the one of them that makes the n-th call."""
        for n in tally.drawn(range(1, self.calls + 1), chance, most):
            launcher = chance.random() < 0.5
            self.scenario.prepare()
            ended = self.run(f"kill {n} 9", **({"FAULTS_PID": "self"} if launcher else {}))
            what = "launcher killed, " if launcher else "process killed, "
            late = f"processes went on for {ended.orphaned:.0f} s" if ended.orphaned > ORPHANED else None
            tally.note(what + "all ended, then identical", n, late or self.again())

    def anew(self, tally: Tally, chance: random.Random, most: int | None) -> None:
        """Kill -9 of new processes, which verify the run in another one; then a new process is given the command."""
        several = "--num-processes" in self.scenario.command
        for n in tally.drawn(range(1, self.calls + 1), chance, most):
            launcher = several and chance.random() < 0.5
            self.scenario.prepare()
            killed = self.zygote.run_anew(self.scenario.command, f"kill {n} 9", launcher=launcher)
            second = self.zygote.run_anew(self.scenario.command)
            failed = f"exit code {second.code}: {second.said[-1500:]}" if second.code else None
            late = f"processes went on for {killed.orphaned:.0f} s" if killed.orphaned > ORPHANED else None
            what = f"{'launcher killed' if launcher else 'killed' if killed.code else 'not reached'}, then identical"
            outcome = self.scenario.outcome(self.scenario.root)
            outcome |= {file: self.expected[file] for file in outcome if "/pictures/" in file}  # forks draw them once
            tally.note(what, n, late or failed or self.differences(outcome))

    def requests(self, tally: Tally, chance: random.Random, most: int | None) -> None:
        """Kill -9, SIGTERM or SIGHUP when the n-th request of the command has come to a Hub on loopback."""
        with hub.serving(self.zygote.library.folder) as server:
            self.scenario.prepare()
            assert self.run(**server.environment()).code == 0
            expected, requests = server.held(), server.requests()
        for n in tally.drawn(range(1, requests + 1), chance, most):
            name, number = chance.choice(list({"SIGKILL": signal.SIGKILL, **SIGNALS}.items()))
            with hub.serving(self.zygote.library.folder) as server:
                self.scenario.prepare()
                pid = self.zygote.start(self.scenario.command, **server.environment())
                server.signal(n, pid, number)
                ended = self.zygote.end(pid)
                problem = None if name == "SIGKILL" else self.answer(ended, (0, 128 + number))
                second = self.run(**server.environment())
                if second.code or "Traceback" in second.said or server.held() != expected:
                    problem = problem or f"given again, exit code {second.code}: {second.said[-1500:]}"
                tally.note(f"{name}: {'stopped' if ended.code else 'finished before'}, then identical", n, problem)


def content_now(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b"/"


def difference(expected: str | None, found: str | None) -> str:
    """Where two contents differ, in words."""
    if expected is None or found is None:
        return "missing" if found is None else "left over"
    start = next((i for i, (one, other) in enumerate(zip(expected, found, strict=False)) if one != other), 0)
    start = max(0, start - 60)
    return f"{expected[start : start + 120]!r} and now {found[start : start + 120]!r}"
