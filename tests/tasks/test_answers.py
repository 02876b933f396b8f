import pytest

from hf_tasks.tasks.question_answering.answers import misplaced, read_answers

FORM = 'write {"text": [...], "answer_start": [...]}'
EMPTY = (
    "the answer is empty; write it, or mark a question without answer with is_impossible: true, or all of them with "
    "task.version_2_with_negative: true"
)
PARIS = {"text": ["Paris", "in Paris"], "answer_start": [9, 6]}


@pytest.mark.parametrize(
    "row",
    [
        {"answers": PARIS},
        {"answers": [{"text": "Paris", "answer_start": 9}, {"text": "in Paris", "answer_start": 6}]},
        {"answers": '{"text": ["Paris", "in Paris"], "answer_start": [9, 6]}'},
        {"answers": '[{"text": "Paris", "answer_start": 9}, {"text": "in Paris", "answer_start": 6}]'},
        {"answers": PARIS, "is_impossible": False},
        {"answers": {"text": ("Paris", "in Paris"), "answer_start": ("9", 6.0)}, "is_impossible": None},
        {"answers": PARIS, "answer_text": "other", "answer_start": 3},
    ],
)
def test_forms_of_answers(row):
    assert read_answers(row) == PARIS


@pytest.mark.parametrize(
    "row",
    [
        {"answers": {"text": "Paris", "answer_start": 9}},
        {"answer_text": "Paris", "answer_start": 9},
        {"answer_text": "Paris", "answer_start": "9", "is_impossible": "0"},
        {"answer_text": "Paris", "answer_start": 9.0, "is_impossible": "False"},
    ],
)
def test_forms_of_one_answer(row):
    assert read_answers(row) == {"text": ["Paris"], "answer_start": [9]}


@pytest.mark.parametrize(
    "row",
    [
        {"answers": {"text": [], "answer_start": []}, "is_impossible": True},
        {"answers": "[]", "is_impossible": True},
        {"answers": [], "is_impossible": True},
        {"answers": None, "is_impossible": True},
        {"answers": {"text": [""], "answer_start": [0]}, "is_impossible": True},
        {"answer_text": "", "answer_start": "", "is_impossible": "true"},
        {"answer_text": None, "answer_start": None, "is_impossible": "1"},
    ],
)
def test_forms_of_no_answer(row):
    assert read_answers(row) == {"text": [], "answer_start": []}


@pytest.mark.parametrize(
    "row",
    [
        {"answers": {"text": [], "answer_start": []}},
        {"answers": []},
        {"answers": "[]", "is_impossible": None},
        {"answers": {"text": [""], "answer_start": [0]}, "is_impossible": ""},
        {"answer_text": None, "answer_start": None},
    ],
)
def test_no_answer_without_a_flag(row):
    with pytest.raises(ValueError) as error:
        read_answers(row)
    assert str(error.value) == EMPTY
    assert read_answers(row, unmarked=True) == {"text": [], "answer_start": []}


@pytest.mark.parametrize(
    "row, message",
    [
        ({"answers": [], "is_impossible": False}, EMPTY),
        ({"answers": {"text": ["", "Paris"], "answer_start": [0, 3]}}, EMPTY),
        ({"answers": None}, f"the answers are missing; {FORM}, with empty lists for a question without answer"),
    ],
)
def test_what_is_wrong_even_where_empty_answers_need_no_flag(row, message):
    with pytest.raises(ValueError) as error:
        read_answers(row, unmarked=True)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "row, message",
    [
        (
            {"answers": None},
            f"the answers are missing; {FORM}, with empty lists for a question without answer",
        ),
        ({"answers": " "}, f"the answers are missing; {FORM}, with empty lists for a question without answer"),
        ({"answers": "Paris"}, f'the answers "Paris" are not JSON; {FORM}'),
        ({"answers": "{'text': []}"}, f"the answers \"{{'text': []}}\" are not JSON; {FORM}"),
        ({"answers": ["Paris"]}, f"the answers are not in a known form (\"['Paris']\"); {FORM}"),
        (
            {"answers": {"texts": ["Paris"]}},
            f"the answers are not in a known form (\"{{'texts': ['Paris']}}\"); {FORM}",
        ),
        ({"answers": 3}, f'the answers are not in a known form ("3"); {FORM}'),
        (
            {"answers": {"text": ["a", "b"], "answer_start": [1]}},
            "there are 2 answer texts, but 1 offsets; give each its own",
        ),
        (
            {"answers": {"text": [""], "answer_start": [1]}},
            EMPTY,
        ),
        (
            {"answer_text": None, "answer_start": None},
            EMPTY,
        ),
        (
            {"answers": PARIS, "is_impossible": True},
            'is_impossible is true, yet there is an answer "Paris"; remove one of them',
        ),
        ({"answers": PARIS, "is_impossible": "maybe"}, "is_impossible must be true or false, found 'maybe'"),
        ({"answers": {"text": [7], "answer_start": [1]}}, "the answer is not a string but 7; quote it"),
        (
            {"answer_text": "Paris", "answer_start": "9th"},
            "answer_start is '9th'; give the place of the answer's first character, counted from 0",
        ),
        (
            {"answer_text": "Paris", "answer_start": 9.5},
            "answer_start is 9.5; give the place of the answer's first character, counted from 0",
        ),
        (
            {"answer_text": "Paris", "answer_start": None},
            "answer_start is None; give the place of the answer's first character, counted from 0",
        ),
        (
            {"answer_text": "Paris", "answer_start": True},
            "answer_start is True; give the place of the answer's first character, counted from 0",
        ),
    ],
)
def test_what_is_wrong_with_answers(row, message):
    with pytest.raises(ValueError) as error:
        read_answers(row)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "context, text, start", [("in Paris", "Paris", 3), ("é😀 Paris", "Paris", 3), ("Paris", "Paris", 0)]
)
def test_answers_in_their_place(context, text, start):
    assert misplaced(context, text, start) is None


@pytest.mark.parametrize(
    "context, text, start, message",
    [
        (
            "Né à Paris", "Paris", 7,
            'answer "Paris" is not at character 7 (found "ris"); 7 counts UTF-8 bytes; '
            'write answer_start 5',
        ),
        (
            "😀😀 Paris, in France", "Paris", 5,
            'answer "Paris" is not at character 5 (found "ris, "); 5 counts UTF-16 units; '
            "write answer_start 3",
        ),
        (
            "in Paris today", "Paris", 2,
            'answer "Paris" is not at character 2 (found " Pari"); it is off by 1; write answer_start 3',
        ),
        (
            "in Paris today", "Paris", 5,
            'answer "Paris" is not at character 5 (found "ris t"); it is off by 2; write answer_start 3',
        ),
        (
            "Paris is Paris and not far from London", "Paris", 33,
            'answer "Paris" is not at character 33 (found "ondon"); it is at 9; '
            'write answer_start 9',
        ),
        (
            "I live in Paris", "Paris", 0,
            'answer "Paris" is not at character 0 (found "I liv"); it is at 10; '
            'write answer_start 10',
        ),
        (
            "in Paris", "Paris ", 3,
            'answer "Paris " is not at character 3 (found "Paris"); without the blanks around it, it '
            "is at 3; write the bare text and answer_start 3",
        ),
        (
            "in Paris", "paris", 3,
            'answer "paris" is not at character 3 (found "Paris"); the context has "Paris" at 3; write '
            "it like that",
        ),
        (
            "in Paris", "Rome", 3,
            'answer "Rome" is not at character 3 (found "Pari"); it is nowhere in the context; correct or '
            "remove it",
        ),
        (
            "in Paris", "Paris", -1,
            'answer "Paris" is not at character -1 (no context has that); it is at 3; write answer_start 3',
        ),
        (
            "in Paris", "Paris", 80,
            'answer "Paris" is not at character 80 (the context has 8); it is at 3; write answer_start 3',
        ),
        (
            "ab " * 20, "x" * 50, 0,
            f'answer "{"x" * 37}..." is not at character 0 (found "{("ab " * 20)[:37]}..."); it is '
            "nowhere in the context; correct or remove it",
        ),
    ],
)  # fmt: skip
def test_answers_out_of_their_place(context, text, start, message):
    assert misplaced(context, text, start) == message


def test_a_byte_offset_inside_a_character_is_an_ordinary_error():
    assert misplaced("é Paris", "Paris", 1) == (
        'answer "Paris" is not at character 1 (found " Pari"); it is off by 1; write answer_start 2'
    )
