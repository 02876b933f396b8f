"""Errors of rows, collected until all splits have been read and checked."""

from dataclasses import dataclass, field, replace

from hf_tasks.core.errors import DataError

SHOWN = 10
"""Maximum number of bad rows that a message lists; the others are counted."""
KEPT = 10_000
"""Maximum number of bad rows whose message is kept."""


@dataclass
class RowErrors:
    """The bad rows of some files: messages of the first ones, and the count of all."""

    bad_rows: str
    """"stop" or "drop"."""
    remedy: str = "data.bad_rows: drop leaves such rows out"
    found: list[tuple[str, int, str]] = field(default_factory=list)
    """(file, line or row number, `file:line: message`)."""
    count: int = 0

    def add(self, file: str, number: int, where: str, text: object) -> None:
        self.count += 1
        if len(self.found) < KEPT:
            self.found.append((file, number, f"{where}: {text}"))

    @property
    def shown(self) -> list[str]:
        """The messages of the first bad rows, in the order of the files and lines."""
        files = dict.fromkeys(file for file, _, _ in self.found)
        ranked = sorted(self.found, key=lambda one: (list(files).index(one[0]), one[1]))
        return [text for _, _, text in ranked[:SHOWN]]

    def raise_if_any(self, good: int) -> None:
        """Raise DataError if there are bad rows and they must not be dropped, or if no good rows are left."""
        if self.count and (self.bad_rows == "stop" or not good):
            remedy = self.remedy if good else "there are no other rows"
            raise DataError(*self.shown, self._more() + remedy)

    def copy(self, bad_rows: str) -> "RowErrors":
        return replace(self, bad_rows=bad_rows, found=list(self.found))

    def _more(self) -> str:
        hidden = self.count - min(SHOWN, len(self.found))
        return f"... and {hidden} more row{'s' if hidden > 1 else ''}; " if hidden else ""
