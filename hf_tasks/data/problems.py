"""Problems: what is wrong with rows, collected until the whole part has been read."""

from dataclasses import dataclass, field

from hf_tasks.errors import DataError

SHOWN = 10
"""Bad rows that a message lists; the others are counted."""


@dataclass
class Problems:
    """The first bad rows in words, the others counted."""

    bad_rows: str
    """"stop" or "drop"."""
    remedy: str = "data.bad_rows: drop leaves such rows out"
    shown: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, where: str, text: object) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(f"{where}: {text}")

    def settle(self, good: int) -> None:
        """Raises DataError where bad rows must not be dropped, or where no good ones are left."""
        if self.count and (self.bad_rows == "stop" or not good):
            remedy = self.remedy if good else "there are no other rows"
            raise DataError(*self.shown, self._more() + remedy)

    def _more(self) -> str:
        hidden = self.count - len(self.shown)
        return f"... and {hidden} more row{'s' if hidden > 1 else ''}; " if hidden else ""
