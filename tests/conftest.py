"""What several test files share: no network, and tiny checkpoints of five architectures."""

import gc
import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models are tiny, and every core has tests of its own

import string
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import processes
import pytest
from hub_server import WRITER, Hub

Tiny = Callable[[str], Path]

TEXT = """
the a an and or of in on at to for with from by is was are not it this that he she they we you i film movie book good
bad great awful slow fast quiet moving plain card bank money phone paris london rome river city king queen who what
where when how many one two three john mary anna peter lives works born died went came saw won lost new old big small
red blue play plays ing ed er est
"""
WORDS = TEXT.split()
DRAWN: dict[str, bytes] = {}
"""Pictures by their names."""
FROZEN = [0]
"""Numbers of modules at which the garbage collector was frozen."""
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.fixture(autouse=True)
def _frozen_imports() -> None:
    """The garbage collector, which every training runs, skips the million objects of imported libraries."""
    if len(sys.modules) > FROZEN[-1] + 100:
        gc.collect()
        gc.freeze()
        FROZEN.append(len(sys.modules))


@pytest.fixture(scope="session", autouse=True)
def _state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is noted of this machine's runs stays among the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _forked_verification() -> Iterator[None]:
    """The process that loads a saved run and computes its outputs again is forked, which takes a tenth of the time."""
    import hf_tasks.runs.staged_run

    def run(command: list[str], *, env: dict[str, str], input: str, **_: Any) -> Any:
        return processes.run(command[1:], env=env, input=input)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hf_tasks.runs.staged_run, "subprocess", SimpleNamespace(run=run))
        yield


def hasten(patch: pytest.MonkeyPatch) -> None:
    """Trainings leave out what takes most of their time and has tests of its own: verifying the saved run in another
    process, and drawing a picture of the same name again."""
    from hf_tasks.publish import plots
    from hf_tasks.runs.staged_run import StagedRun

    real = plots.save

    def save(path: Path, size: tuple[float, float], draw: Callable[[Any], Any]) -> Path:
        if path.name not in DRAWN:
            DRAWN[path.name] = real(path, size, draw).read_bytes()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DRAWN[path.name])
        return path

    patch.setattr(StagedRun, "verify", lambda *_: None)
    patch.setattr(plots, "save", save)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """`tiny(architecture)`: the folder of a checkpoint of "bert", "albert", "roberta", "distilbert", "t5", "gpt2" with
    random weights, hidden size 32, 2 layers, 64 positions; loadable by AutoModel and AutoTokenizer, "t5" by
    AutoModelForSeq2SeqLM too. The tokenizers know the WORDS, and any other ASCII text by its letters."""
    built: dict[str, Path] = {}

    def folder(architecture: str) -> Path:
        if architecture not in built:
            built[architecture] = tmp_path_factory.mktemp(architecture)
            _build(architecture, built[architecture])
        return built[architecture]

    return folder


def _build(architecture: str, folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    tokenizers = {
        "bert": _wordpiece, "distilbert": _wordpiece, "albert": _unigram, "roberta": _byte_level, "t5": _unigram_t5,
        "gpt2": _byte_level_gpt2,
    }  # fmt: skip
    tokenizer = tokenizers[architecture]()
    sizes: dict[str, Any] = {"max_position_embeddings": 64}
    match architecture:
        case "distilbert":
            sizes |= {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
        case "roberta":
            sizes |= SIZES | {"max_position_embeddings": 66, "type_vocab_size": 1}
        case "albert":
            sizes |= SIZES | {"embedding_size": 16}
        case "t5":
            sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2}
            sizes |= {"decoder_start_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
        case "gpt2":
            sizes = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_inner": 64, "n_positions": 64}
            sizes |= {"bos_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id}
        case _:
            sizes |= SIZES
    config = AutoConfig.for_model(architecture, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **sizes)
    torch.manual_seed(0)
    autos = {"t5": AutoModelForSeq2SeqLM, "gpt2": AutoModelForCausalLM}
    autos.get(architecture, AutoModel).from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _wordpiece() -> Any:
    from transformers import BertTokenizer

    letters = string.ascii_lowercase + string.digits
    endings = [f"##{piece}" for piece in [*letters, "ing", "ed", "er", "est"]]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return BertTokenizer(vocab=_ids([*special, *letters, *string.punctuation, *WORDS, *endings]), model_max_length=64)


def _unigram() -> Any:
    from transformers import AlbertTokenizer

    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    return AlbertTokenizer(vocab=_scored(special), model_max_length=64)


def _unigram_t5() -> Any:
    from transformers import T5Tokenizer

    return T5Tokenizer(vocab=_scored(["<pad>", "</s>", "<unk>"]), extra_ids=0, model_max_length=64)


def _scored(special: list[str]) -> list[tuple[str, float]]:
    letters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = dict.fromkeys([*letters, *(f"▁{piece}" for piece in ["", *letters, *WORDS])])
    return [(piece, 0.0) for piece in special] + [(piece, -10.0 / len(piece)) for piece in pieces]


def _byte_level() -> Any:
    from transformers import RobertaTokenizer

    pieces, merges = _byte_pairs()
    vocabulary = _ids(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *pieces])
    return RobertaTokenizer(vocab=vocabulary, merges=merges, model_max_length=64)


def _byte_level_gpt2() -> Any:
    from transformers import GPT2Tokenizer

    pieces, merges = _byte_pairs()
    return GPT2Tokenizer(vocab=_ids(["<|endoftext|>", *pieces]), merges=merges, model_max_length=64)


def _byte_pairs() -> tuple[list[str], list[tuple[str, str]]]:
    """(pieces, merges) of the WORDS, and of any byte."""
    from tokenizers.pre_tokenizers import ByteLevel

    pieces, merges = sorted(ByteLevel.alphabet()), []
    for word in WORDS:
        for start in ("", "Ġ"):
            splits = [*start, *word]
            while len(splits) > 1:
                merges.append((splits[0], splits[1]))
                splits[:2] = [splits[0] + splits[1]]
                pieces.append(splits[0])
    return pieces, list(dict.fromkeys(merges))


def _ids(pieces: list[str]) -> dict[str, int]:
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub on loopback that huggingface_hub speaks to in this process, logged in as ann, who may write in `org`.

    Nothing waits before it tries again: the seconds are in `hub.pauses`. (What polls a lock sleeps for parts of one.)
    """
    from huggingface_hub import close_session, constants

    sleep = time.sleep

    with Hub() as server:
        place = "/{repo_id}/resolve/{revision}/{filename}"
        values = {"HF_HUB_OFFLINE": False, "ENDPOINT": server.url, "HUGGINGFACE_CO_URL_TEMPLATE": server.url + place}
        values |= {"HF_HUB_DISABLE_XET": True, "HF_HUB_CACHE": str(tmp_path / "hub_cache")}
        for name, value in (values | {"HF_TOKEN_PATH": str(tmp_path / "token")}).items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setenv("HF_TOKEN", WRITER)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.setattr(time, "sleep", lambda seconds: (sleep if seconds < 0.5 else server.pauses.append)(seconds))
        close_session()
        yield server
        close_session()
