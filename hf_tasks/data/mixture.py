"""Examples of several datasets as one split."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hf_tasks.data.dataset import DataSplit
from hf_tasks.tasks.text2text.task import MIXTURE


def mixed(splits: Mapping[str, DataSplit], prefixes: Mapping[str, str]) -> DataSplit | None:
    """The examples of all datasets, by name, with its name and with its prefix before each source; None of none."""
    import pyarrow
    from datasets import Dataset

    if not splits:
        return None
    tables, place, places = [], [], list[str]()
    for name, split in splits.items():
        table = split.examples.with_format("arrow")[:].replace_schema_metadata(None)
        sources = [prefixes[name] + source for source in split.examples["source"][:]]
        table = table.set_column(table.column_names.index("source"), "source", pyarrow.array(sources))
        tables.append(table.append_column(MIXTURE, pyarrow.array([name] * len(split))))
        place.append(split.place + len(places))
        places += split.places
    first, *_ = splits.values()
    return replace(
        first, examples=Dataset(pyarrow.concat_tables(tables, promote_options="permissive")), places=tuple(places),
        place=np.concatenate(place), line=np.concatenate([split.line for split in splits.values()]),
        dropped=sum(split.dropped for split in splits.values()), rows_read=(),
        files={file: digest for split in splits.values() for file, digest in split.files.items()},
    )  # fmt: skip
