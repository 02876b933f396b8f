"""The command `mbr`, from files to the chosen texts and the table."""

import json
import re

import pytest
import sacrebleu
from typer.testing import CliRunner

from hf_tasks.cli import app
from hf_tasks.core.errors import DataError, UserError

SYSTEMS = {
    "a.en": ["The cat sat on the mat.", "good morning all", "x\u2028y"],
    "b.en": ["The cat sat on a mat.", "good morning to all", ""],
    "c.en": ["A dog ran.", "good morning to everyone", "x y"],
}
REFERENCE = ["The cat sat on a mat.", "good morning to all of you", "x y"]


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def files(tmp_path):
    return [write(tmp_path / name, lines) for name, lines in SYSTEMS.items()]


def mbr(*args):
    """What is printed. Raises what the command raises."""
    result = CliRunner().invoke(app, ["mbr", *map(str, args)])
    if result.exception:
        raise result.exception
    return result


def test_the_consensus_of_files(files, tmp_path):
    # token F1: all differ in the third segment but for "x y" (twice: a line separator parts words too)
    result = mbr(*files, "--utility", "token_f1", "-o", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes().decode() == "The cat sat on the mat.\ngood morning to all\nx\u2028y\n"
    first, second = result.stdout.splitlines()
    # the words without "the" and "a": 100, 100, 0; 6/7, 1, 6/8; 1, 0, 1
    right = (200 / 3 + (600 / 7 + 100 + 75) / 3 + 200 / 3) / 3
    assert first == f"utility token_f1: 3 segments x 3 candidates; mean expected utility {right:.2f}"
    assert re.fullmatch(r"\d+\.\d\d s, \d+ segments per second", second)
    assert result.stderr == ""


def test_texts_on_standard_output(files):
    result = mbr(*files)
    assert result.stdout == "The cat sat on the mat.\ngood morning to all\nx\u2028y\n"
    assert result.stderr.startswith("utility chrf: 3 segments x 3 candidates")


def test_rows_with_line_breaks(tmp_path):
    rows = [{"candidates": ["p\nq", "p\nq r", "z"]}, {"candidates": ["only"]}]
    source = write(tmp_path / "in.jsonl", map(json.dumps, rows))
    out = tmp_path / "out.jsonl"
    summary = mbr(source, "--utility", "rouge1", "--output", out).stdout
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {"prediction": "p\nq", "candidate": 0, "expected_utility": pytest.approx(60)},
        {"prediction": "only", "candidate": 0, "expected_utility": pytest.approx(100)},
    ]
    assert "2 segments x 1-3 candidates; mean expected utility 80.00" in summary
    with pytest.raises(
        DataError, match=r"^segment 1: the chosen text has a line break; write to a .jsonl file with -o$"
    ):
        mbr(source, "-o", tmp_path / "out.txt")
    assert not (tmp_path / "out.txt").exists()


def test_table_against_references(files, tmp_path):
    second = ["The cat sits on a mat.", "good day to all", "x, y"]
    references = [write(tmp_path / "r1", REFERENCE), write(tmp_path / "r2", second)]
    out = mbr(*files, "--references", *references, "-o", tmp_path / "out").stdout
    streams = [REFERENCE, second]
    rows = {line[:15].strip(): line[15:].split() for line in out.splitlines()[3:-2]}
    assert set(rows) == {"combined (MBR)", "oracle", *SYSTEMS}
    values = {}
    for name, texts in SYSTEMS.items():
        values[name] = [sacrebleu.corpus_bleu(texts, streams).score, sacrebleu.corpus_chrf(texts, streams).score]
        assert [cell.rstrip("*") for cell in rows[name]] == [f"{value:.2f}" for value in values[name]]
    for column in (0, 1):
        best = max(SYSTEMS, key=lambda name: values[name][column])
        assert [name for name in rows if rows[name][column].endswith("*")] == [best]
    oracle = [
        "The cat sat on a mat.",
        "good morning to all",
        "x\u2028y",
    ]  # chrF sees no blanks: x y and x\u2028y are equal
    assert rows["oracle"][1] == f"{sacrebleu.corpus_chrf(oracle, streams).score:.2f}"
    bleus = [float(cells[0].rstrip("*")) for cells in rows.values()]
    assert bleus == sorted(bleus, reverse=True)
    version = f"version:{sacrebleu.__version__}"
    assert out.splitlines()[-2:] == [
        f"BLEU nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|{version}",
        f"chrF nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no|{version}",
    ]


def test_options_may_be_repeated_or_take_several_values(files, tmp_path):
    pseudo = [write(tmp_path / "p1", ["A dog ran.", "all", "x"]), write(tmp_path / "p2", ["A dog runs.", "all", "x"])]
    once = mbr(*files, "--pseudo-references", *pseudo)
    assert once.stdout.splitlines()[:2] == ["A dog ran.", "good morning all"]
    twice = mbr(
        "--pseudo-references", pseudo[0], "--pseudo-references", pseudo[1], *files[:0], "--utility", "chrf", *files
    )
    assert twice.stdout == once.stdout


def test_pruned_and_aggregated(files):
    assert mbr(*files, "--prune").stdout == mbr(*files).stdout
    chosen = mbr(*files, "--aggregate").stdout  # the longest text has most of the n-grams of the average
    assert chosen == "The cat sat on the mat.\ngood morning to everyone\nx\u2028y\n"


def message(error):
    return str(error.value)


def test_files_that_do_not_agree(files, tmp_path):
    short, long = write(tmp_path / "short", ["a", "b"]), write(tmp_path / "long", ["a"] * 4)
    with pytest.raises(DataError) as error:
        mbr(*files, short, long)
    assert message(error) == (
        f"{short}: 2 segments, but {files[0]} has 3; each file needs one line for each segment\n"
        f"{long}: 4 segments, but {files[0]} has 3; each file needs one line for each segment"
    )
    with pytest.raises(DataError) as error:
        mbr(*files, "--references", short)
    assert (
        message(error) == f"{short}: 2 segments, but the candidates have 3; each file needs one line for each segment"
    )


def test_rows_that_are_no_candidates(tmp_path):
    lines = [
        '{"candidates": []}',
        '{"candidates": ["a", 1]}',
        '{"texts": ["a"]}',
        '{"candidates": "a"}',
        "7",
        '{"candidates": ["a"]}',
    ]
    source = write(tmp_path / "in.jsonl", lines)
    with pytest.raises(DataError) as error:
        mbr(source)
    assert message(error).splitlines() == [
        f'{source}:1: "candidates" is not a list of strings; write one or more',
        f'{source}:2: "candidates" is not a list of strings; write one or more',
        f'{source}:3: there is no key "candidates"; write {{"candidates": ["...", "..."]}}',
        f'{source}:4: "candidates" is not a list of strings; write one or more',
        f"{source}:5: a JSON object was expected, found a number; write {{...}} for each row",
    ]


def test_options_that_do_not_go_together(files, tmp_path):
    with pytest.raises(UserError) as error:
        mbr(*files, "--utility", "rougel")
    assert message(error) == (
        '--utility: there is no utility "rougel"; did you mean "rougeL"? '
        "(one of: chrf, chrf++, bleu, rouge1, rouge2, rougeL, token_f1, embedding:MODEL)"
    )
    for others in (["--prune"], ["--utility", "bleu"]):
        with pytest.raises(UserError) as error:
            mbr(*files, "--aggregate", *others)
        assert message(error) == "--aggregate: works only with --utility chrf and without --prune; remove one of them"
    with pytest.raises(DataError) as error:
        mbr(*files, "-o", tmp_path / "no" / "out")
    assert message(error) == f"{tmp_path / 'no'}: there is no such folder; create it first"
