"""What a dry run leaves behind."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hf_tasks.core.signals import Interrupted
from hf_tasks.training.estimate import dry_run


def test_a_terminated_dry_run_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def terminated(ready: Any, steps: Any, folder: Path) -> None:
        assert [path.name[:9] for path in tmp_path.iterdir()] == [".dry-run-"]
        (folder / "checkpoint").write_text("")
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(dry_run, "_measured", terminated)
    former = signal.getsignal(signal.SIGTERM)
    ready: Any = SimpleNamespace(recipe=SimpleNamespace(output_dir=tmp_path / "runs" / "x"))
    with pytest.raises(Interrupted) as e:
        dry_run.dry_run(ready, steps=None)  # type: ignore[arg-type]
    assert e.value.exit_code == 143
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == former
