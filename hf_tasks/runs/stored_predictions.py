"""The predictions that a run stored when it was evaluated, where they still belong to the same examples."""

from hf_tasks.core.hashing import sha256
from hf_tasks.data import DataSplit
from hf_tasks.runs import counts, json_files, same_data
from hf_tasks.runs.run import Run
from hf_tasks.tasks.types import Prediction


def stored_predictions(run: Run, name: str, split: DataSplit) -> list[Prediction] | None:
    """Return the predictions that a run stored of its split `name`, without computing any.

    None unless `split` has the same examples as then, and the file has the hash in results.json. Raises RunError for a
    file with that hash that cannot be read.
    """
    recorded, file = run.results.get("data", {}).get(name, {}), counts.files_of(name)[0]
    now, digest = {"files": split.files, "rows_sha256": split.rows_hash()}, run.results.get("sha256", {}).get(file)
    path = run.path / file
    if same_data.identity(recorded) != same_data.identity(now) or not path.is_file() or sha256(path) != digest:
        return None
    return json_files.read_rows(path)
