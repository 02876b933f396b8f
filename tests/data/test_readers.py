"""Which reader a file gets."""

import pytest

from hf_tasks.core.errors import DataError
from hf_tasks.data.readers import READERS, reader_of


@pytest.mark.parametrize(
    "name, format",
    [
        ("a/b.csv", "csv"), ("b.CSV.GZ", "csv"), ("b.tsv.zst", "tsv"), ("b.ndjson.xz", "jsonl"), ("b.jsonl", "jsonl"),
        ("b.json.bz2", "json"), ("b.parquet", "parquet"), ("b.arrow", "arrow"), ("b.bio", "conll"),
        ("b.iob2", "conll"), ("b.conll", "conll"), ("b.conllu", "conllu"), ("b.txt", "text"), ("b.text", "text"),
    ],
)  # fmt: skip
def test_by_ending(name, format):
    assert reader_of(name, None) is READERS[format]


def test_given_format_wins():
    assert reader_of("b.csv", "tsv") is READERS["tsv"]


ENDINGS = (
    "known endings are .csv .tsv .json .jsonl .ndjson .parquet .arrow .conll .bio .iob2 .conllu .xlsx .txt .text, "
    "each also with .gz .bz2 .xz .zst"
)
NAME_IT = f"name the format with data.format, or --format ({ENDINGS})"


@pytest.mark.parametrize(
    "name, format, problem",
    [
        ("b.xls", None, f'b.xls: the ending ".xls" is not known; {NAME_IT}'),
        ("data.gz", None, f"data.gz: the format is not known; {NAME_IT}"),
        (
            "b.csv", "cvs",
            'data.format: there is no format "cvs"; did you mean "csv"? '
            "(one of: csv, tsv, json, jsonl, text, fasttext, parquet, arrow, excel, conll, conllu, segmented, slashed)",
        ),
    ],
)  # fmt: skip
def test_unknown(name, format, problem):
    with pytest.raises(DataError) as error:
        reader_of(name, format)
    assert str(error.value) == problem
