"""Data sets of the Hub."""

import re

from hf_tasks.data.arrow import dataset_rows
from hf_tasks.data.section import Data
from hf_tasks.data.tables import Rows
from hf_tasks.errors import DataError


def pinned(data: Data) -> Data:
    """The section with the commit of its dataset on the Hub as `revision`; unchanged for files, and where the Hub does
    not answer, so that the cache serves."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    if not data.path:
        return data
    try:
        commit = HfApi().dataset_info(data.path, revision=data.revision).sha
    except (OSError, ValueError, HTTPError):
        return data
    return data.model_copy(update={"revision": commit}) if commit else data


def load(data: Data, split: str) -> tuple[Rows, dict[str, str]]:
    """The rows of a split, and {`id@revision`: fingerprint}. Raises DataError where the Hub does not give them."""
    from datasets import load_dataset

    try:
        dataset = load_dataset(data.path, data.name, revision=data.revision, split=split)
    except Exception as e:  # every library below `datasets` raises its own kinds
        reason = re.split(r"[\n.] ?", str(e).strip())[0] or type(e).__name__
        remedy = "check data.path, data.name, data.revision and the split, and that the Hub can be reached"
        raise DataError(f"{data.path} {split}: the data set cannot be loaded: {reason}; {remedy}") from None
    commits = re.findall(r"@([0-9a-f]{40})/", " ".join(dataset.info.download_checksums or {}))
    revision = commits[0] if commits else data.revision or "main"
    return dataset_rows(dataset), {f"{data.path}@{revision}": str(dataset._fingerprint)}
