"""Problems: what is wrong with rows, collected until all splits of the data have been read and checked."""

from dataclasses import dataclass, field, replace

from hf_tasks.core.errors import DataError

SHOWN = 10
"""Bad rows that a message lists; the others are counted."""
KEPT = 10_000
"""Bad rows of which the text is kept, to list the first ones of a file."""


@dataclass
class RowErrors:
    """The bad rows of some files: the first ones in words, the others counted."""

    bad_rows: str
    """"stop" or "drop"."""
    remedy: str = "data.bad_rows: drop leaves such rows out"
    found: list[tuple[str, int, str]] = field(default_factory=list)
    """(file, line or number, `place: what is wrong`)."""
    count: int = 0

    def add(self, file: str, number: int, where: str, text: object) -> None:
        self.count += 1
        if len(self.found) < KEPT:
            self.found.append((file, number, f"{where}: {text}"))

    @property
    def shown(self) -> list[str]:
        """The first bad rows of each file, file after file."""
        files = dict.fromkeys(file for file, _, _ in self.found)
        ranked = sorted(self.found, key=lambda one: (list(files).index(one[0]), one[1]))
        return [text for _, _, text in ranked[:SHOWN]]

    def settle(self, good: int) -> None:
        """Raises DataError where bad rows must not be dropped, or where no good ones are left."""
        if self.count and (self.bad_rows == "stop" or not good):
            remedy = self.remedy if good else "there are no other rows"
            raise DataError(*self.shown, self._more() + remedy)

    def copy(self, bad_rows: str) -> "RowErrors":
        return replace(self, bad_rows=bad_rows, found=list(self.found))

    def _more(self) -> str:
        hidden = self.count - min(SHOWN, len(self.found))
        return f"... and {hidden} more row{'s' if hidden > 1 else ''}; " if hidden else ""
