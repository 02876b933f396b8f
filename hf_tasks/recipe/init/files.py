"""Find the train, validation and test files of a dataset by their names, and sample their rows.

train.csv.gz  dev.csv  X_test_annotated.csv       one file per split
train-00000-of-00002.parquet ...                  several files of one split
train.en  train.de, src-train.txt  tgt-train.txt  source and target
dev.src  dev.ref0  dev.ref1                       source and references
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hf_tasks.core.errors import DataError
from hf_tasks.data.paths import find
from hf_tasks.data.readers import SUFFIXES, TEXT_SUFFIXES, bare
from hf_tasks.data.readers.compression import opened
from hf_tasks.data.readers.recognise import format_of
from hf_tasks.recipe.init.columns import language_of

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
SPLIT_WORDS: dict[SplitName, str] = {
    "train": "train training trn trainings entrenamiento entrainement entraînement apprentissage addestramento treino "
    "treinamento eğitim egitim träning trening træning treningowy treningowe uczący trénovací oefen latih koulutus "
    "tanító 训练 訓練 学習 학습 훈련 обучение обучающая тренировочная навчання تدريب प्रशिक्षण",
    "validation": "dev devel development valid val validation validate trial testa heldout eval validación validacion "
    "validazione validierung entwicklung doğrulama dogrulama geliştirme validatie ontwikkeling walidacja walidacyjny "
    "walidacyjne validering validace validação validacao desenvolvimento desarrollo développement sviluppo "
    "validasi validointi 验证 驗證 開発 开发 検証 검증 개발 валидация валидационная валідація تحقق",
    "test": "test testb tst testing gold devtest prueba pruebas essai teste prova toets testowy testowe testovací "
    "sınama deneme uji testi 测试 測試 評価 テスト 테스트 평가 тест тестовая اختبار परीक्षण",
}

_SPLIT_OF = {word: split for split, words in SPLIT_WORDS.items() for word in words.split()}
_SPLIT = re.compile(rf"({'|'.join(sorted(_SPLIT_OF, key=len, reverse=True))})(s|set|data|dataset|split|file|集|数据)?")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_PIECE = re.compile(r"-\d+-of-\d+")
_SOURCES = {"src", "source", "input", "orig", "original", "complex", "article", "document", "normal"}
_TARGETS = {"tgt", "trg", "target", "output", "ref", "refs", "reference", "simple", "simp", "summary", "highlights"}
_NOT_DATA = re.compile(
    r"(readme|licen[cs]e|changes|changelog|makefile|citation|requirements)\b.*|.*\.(md|rst|pdf|html?|py|sh|r|ipynb|ya?ml|"
    r"toml|cfg|ini|xml|xls|docx?|zip|tar|tgz|rar|7z|png|jpe?g|gif|svg|wav|mp3|bin|pt|pth|pkl|npy|npz|safetensors|bib|"
    r"log|m2|ann|lock|map)", re.IGNORECASE,
)  # fmt: skip


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split."""

    paths: tuple[Path, ...]
    targets: tuple[Path, ...] = ()
    """The files with the references of the source in `paths`, line by line."""

    @property
    def all(self) -> tuple[Path, ...]:
        return (*self.paths, *self.targets)


@dataclass(frozen=True)
class DataFiles:
    """The files of a dataset."""

    splits: dict[SplitName, SplitFiles]
    name: str
    """The dataset's name."""
    unused: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    """A file, or files that belong together, with the words of their names."""

    files: SplitFiles
    words: tuple[str, ...]
    """The lower-case words of the path below the given folder, with the ending."""
    split: SplitName | None

    @property
    def path(self) -> Path:
        return self.files.paths[0]

    @cached_property
    def format(self) -> str:
        return format_of(self.path)

    @property
    def sides(self) -> tuple[str, ...]:
        """The roles in the words: "source", "target" and languages."""
        roles = ("source" if w in _SOURCES else "target" if w in _TARGETS else language_of(w) for w in self.words)
        return tuple(role for role in roles if role)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The words that are neither a split nor an ending."""
        return tuple(w for w in self.words if not _SPLIT.fullmatch(w) and w not in _ENDINGS)

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.files.all)


_ENDINGS = {suffix.removeprefix(".") for suffix in (*SUFFIXES, *TEXT_SUFFIXES)}


def find_files(arguments: Sequence[str]) -> DataFiles:
    """Find the splits in files, globs or a folder; a file named test is never used for training. Raises DataError."""
    folders = [Path(argument) for argument in arguments if Path(argument).is_dir()]
    if folders and len(arguments) > 1:
        raise DataError(f"{folders[0]}: is a folder; give one folder alone, or files")
    folder = folders[0] if folders else None
    paths = _files_in(folder) if folder else find(arguments, [Path()])
    files = [_described(path, folder) for path in paths]
    _check_label_folders(files, folder)
    units = [*_parallel(files, in_order=folder is None)]
    paired = {path for unit in units for path in unit.files.all}
    units += _of_equal_length([one for one in files if one.path not in paired and one.format == "text"])
    paired = {path for unit in units for path in unit.files.all}
    alone = [one for one in files if one.path not in paired]
    if folder:
        readable = [one for one in alone if one.format != "text"]
        alone = readable if readable or units else alone
    units += _joined(alone)
    if folder and not units:
        sheets = sorted(folder.glob("**/*.xls"))
        remedy = f"save {sheets[0].name} as CSV in UTF-8" if sheets else f"known endings are {' '.join(SUFFIXES)} .txt"
        raise DataError(f"{folder}: the folder has no data files; {remedy}")
    trains = _training(units, folder)
    chosen = _chosen(trains, units) if folder else _all(trains, units)
    used = {path for one in chosen.values() for path in one.all}
    unused = tuple(path for path in paths if path not in used)
    return DataFiles(
        {name: chosen[name] for name in SPLITS if name in chosen}, _name(folder, trains), unused, _notes(trains, units)
    )


def _check_label_folders(files: Sequence[_File], folder: Path | None) -> None:
    """Raise DataError if every text is a file of its own in a folder named after its label."""
    texts = [one.path for one in files if bare(one.path).suffix.lower() == ".txt"]
    labels = Counter(path.parent.name for path in texts)
    if folder and len(texts) == len(files) > 4 * len(labels) > 4 and not any(one.sides for one in files):
        names = ", ".join(sorted(labels)[:8])
        raise DataError(
            f"{folder}: each text is a file of its own, in folders that may be labels ({names}); write one table per "
            "split with the columns text and label"
        )


# -- names of files


def _files_in(folder: Path) -> list[Path]:
    """Return the data files of a folder, and of its subfolders if it has no file named train itself."""
    try:
        here = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))
        found = [path for path in here if _is_data(path)]
        if not any(_described(path, folder).split == "train" for path in found):
            below = sorted(path for path in folder.glob("*/**/*") if _is_data(path))
            found += [path for path in below if not any(piece.startswith(".") for piece in path.parts)][:1000]
    except OSError as e:
        raise DataError(f"{folder}: cannot be read: {e.strerror}") from None
    return found


def _is_data(path: Path) -> bool:
    if not path.is_file() or _NOT_DATA.fullmatch(path.name) or not path.stat().st_size:
        return False
    if bare(path).suffix.lower().removeprefix(".") in _ENDINGS:
        return True
    try:
        format_of(path)
    except DataError:  # an unknown ending and not a text file
        return False
    return True


def _described(path: Path, folder: Path | None) -> _File:
    inner = bare(path.relative_to(folder) if folder else Path(path.name))
    words = [word.lower() for word in _WORDS.findall(_PIECE.sub("", str(inner)))]
    split = None
    for word in words:  # the last one counts: dev-test is a test split, train/dev.csv is dev
        if match := _SPLIT.fullmatch(word):
            split = next(name for name in SPLITS if _SPLIT_OF[match[1]] == name)
    return _File(SplitFiles((path,)), tuple(words), split)


def _name(folder: Path | None, train: _File) -> str:
    """Return a name for the recipe: the folder's, or the file's unless it is only the name of a split."""
    above = Path(os.path.abspath(folder or train.path.parent)).name  # noqa: PTH100
    stem = bare(train.path).stem
    own = [word for word in _WORDS.findall(_PIECE.sub("", stem)) if not _SPLIT.fullmatch(word.lower())]
    if folder or not own or train.sides:
        name = above
    else:
        name = stem if own == _WORDS.findall(stem) else f"{above}-{'-'.join(own)}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-") or "recipe"


# -- files that belong together


def _parallel(files: Iterable[_File], *, in_order: bool) -> Iterator[_File]:
    """Yield sources with their targets: plain text files whose names differ only in a role or a language."""
    groups: dict[tuple[Any, ...], list[_File]] = defaultdict(list)
    for one in files:
        if one.sides and one.format in ("text", "segmented"):
            groups[one.path.parent, one.split, _without_sides(one)].append(one)
    for several in groups.values():
        if len(several) < 2:
            continue
        source, *others = several if in_order else sorted(several, key=lambda one: _source_first(one, several))
        targets = [one for one in others if "target" in one.sides] or others
        same = [one for one in targets if one.sides[-1:] == targets[0].sides[-1:]]
        if source.sides != same[0].sides:
            paths = tuple(one.path for one in same)
            yield replace(source, files=SplitFiles((source.path,), paths))


def _of_equal_length(files: Sequence[_File]) -> Iterator[_File]:
    """Yield pairs of plain text files with the same number of lines whose names differ in one word.

    The longer file is the source.
    """
    groups: dict[tuple[Any, ...], list[_File]] = defaultdict(list)
    for one in files:
        groups[one.path.parent, one.split, len(one.words)].append(one)
    for several in groups.values():
        if len(several) != 2 or sum(a != b for a, b in zip(*(one.words for one in several), strict=True)) != 1:
            continue
        if len({_lines(one.path) for one in several}) == 1:
            source, target = sorted(several, key=lambda one: ("source" not in one.sides, -one.size))
            yield replace(source, files=SplitFiles((source.path,), (target.path,)))


def _lines(path: Path) -> int:
    with opened(str(path)) as file:
        return sum(1 for _ in file)


def _without_sides(one: _File) -> tuple[str, ...]:
    """Return the key without roles, languages, and the number or letter of a reference."""
    kept, before = [], ""
    for word in one.key:
        side = word in _SOURCES or word in _TARGETS or language_of(word)
        if not side and not (before in _TARGETS and (word.isdecimal() or len(word) == 1)):
            kept.append(word)
        before = word
    return tuple(kept)


def _source_first(one: _File, several: Sequence[_File]) -> tuple[int, str]:
    """Return a sort key that puts the source first: by its name, the first language of `de-en` in the path, English."""
    named = one.sides[-1] if one.sides else ""
    pair = re.search(r"(?<![a-z])([a-z]{2})[-_2]?([a-z]{2})(?![a-z])", str(one.path.parent.name).lower())
    first = pair[1] if pair and {pair[1], pair[2]} <= {side for other in several for side in other.sides} else "en"
    rank = 0 if "source" in one.sides else 3 if "target" in one.sides else 1 if named == first else 2
    return rank, one.path.name


def _joined(files: Sequence[_File]) -> list[_File]:
    """Join the files of one split whose names differ only in a counter that starts at 0 or 1."""
    groups: dict[tuple[Any, ...], list[_File]] = defaultdict(list)
    for one in files:
        sharded = _PIECE.search(one.path.name) is not None
        numbers = [word for word in one.words if word.isdecimal()]
        counted = len(numbers) == 1 and "fold" not in one.words
        words = tuple("#" if word.isdecimal() and counted else word for word in one.words)
        groups[one.path.parent, one.split, words, sharded].append(one)
    joined = []
    for (*_, sharded), several in groups.items():
        counters = sorted(int(word) for one in several for word in one.words if word.isdecimal())
        if len(several) > 1 and (sharded or counters in ([*range(len(several))], [*range(1, len(several) + 1)])):
            paths = tuple(path for one in several for path in one.files.paths)
            joined.append(replace(several[0], files=SplitFiles(paths)))
        else:
            joined += several
    return joined


# -- the files of each split


def _training(units: Sequence[_File], folder: Path | None) -> _File:
    """Return the file to train on: named train, else not named after a split, else validation. Raises DataError."""
    for split in ("train", None, "validation"):
        called = [one for one in units if one.split == split]
        if called:
            return max(called, key=lambda one: _fitness(one, units)) if folder else called[0]
    names = ", ".join(str(one.path) for one in units[:3])
    raise DataError(f"{names}: the name is that of a test file, not for training; give a train file, or rename it")


def _fitness(one: _File, units: Sequence[_File]) -> tuple[int, int, bool, int]:
    """Rank a training file: by the splits with the same name and ending, with the same name, English, size."""
    alike = {other.split for other in units if other.key == one.key and other.split != one.split}
    same = {o.split for o in units if o.key == one.key and o.split != one.split and o.words[-1:] == one.words[-1:]}
    return len(same), len(alike), "en" in one.words, one.size


def _chosen(train: _File, units: Sequence[_File]) -> dict[SplitName, SplitFiles]:
    """Choose for each split the files most similar to train in language, name and ending."""
    chosen: dict[SplitName, SplitFiles] = {"train": train.files}
    languages = {side for side in train.sides if len(side) == 2}
    for name in ("validation", "test"):
        rivals = [
            one
            for one in units
            if one.split == name and one is not train and bool(one.files.targets) == bool(train.files.targets)
            and {side for side in one.sides if len(side) == 2} in (languages, set())
        ]  # fmt: skip
        if rivals:
            chosen[name] = min(rivals, key=lambda one: _distance(one, train)).files
    return chosen


def _distance(one: _File, train: _File) -> tuple[bool, int, bool, int]:
    differing = set(one.key) ^ set(train.key)
    numbers = {word for word in differing if word.isdecimal()}
    return one.key != train.key, len(differing) + len(numbers), one.words[-1:] != train.words[-1:], -one.size


def _all(train: _File, units: Sequence[_File]) -> dict[SplitName, SplitFiles]:
    """Assign every file that the user named to a split."""
    together: dict[SplitName, SplitFiles] = {}
    for one in units:
        split: SplitName = "train" if one is train or one.split is None else one.split
        before = together.get(split)
        if before is None:
            together[split] = one.files
        elif not before.targets and not one.files.targets:
            together[split] = SplitFiles(before.paths + one.files.paths)
    return together


def _notes(train: _File, units: Sequence[_File]) -> tuple[str, ...]:
    notes = []
    if train.split == "validation":
        notes.append(f"no file is named train; {train.path.name} is used for training")
    others = [one for one in units if one is not train and one.split == train.split and one.key != train.key]
    languages = sorted({side for one in others for side in one.sides if len(side) == 2} - set(train.sides))
    if languages and any(len(side) == 2 for side in train.sides):
        notes.append(f"other languages: {', '.join(languages)}; to use their files: hf-tasks init FILE...")
    return tuple(notes)
