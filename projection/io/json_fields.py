"""Read a JSON object field by field, with errors that name the place."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from projection.errors import CorpusError, LanguageTagError, SpanferryError
from projection.languages import language_tag

Choice = TypeVar("Choice", bound=StrEnum)
Typed = TypeVar("Typed")


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object and its place, for typed reading.

    Methods raise `error_type` with the advice `fix` if the field is absent or of another type;
    those that end in `_or_none` take an absent field and null.
    """

    row: Mapping[str, object]
    where: str
    error_type: type[SpanferryError] = CorpusError
    fix: str = ""

    def error(self, key: str, what: str, fix: str = "") -> SpanferryError:
        """The error that `key` is `what`."""
        return self.error_type(f"{self.where} {key}", what, fix or self.fix)

    def error_here(self, what: str, fix: str = "") -> SpanferryError:
        """The error that the object as a whole is `what`."""
        return self.error_type(self.where, what, fix or self.fix)

    def has(self, key: str) -> bool:
        """Return whether the field is there and not null."""
        return self.row.get(key) is not None

    def text(self, key: str) -> str:
        """A string."""
        return self._typed(key, self._get(key), str, "text")

    def text_or_none(self, key: str) -> str | None:
        """A string, or None."""
        return self.text(key) if self.has(key) else None

    def flag(self, key: str) -> bool:
        """True or false; false where absent."""
        value = self.row.get(key) or False
        if not isinstance(value, bool):
            raise self._wrong_type(key, value, "true or false")
        return value

    def language(self, key: str) -> str:
        """A language tag, normalised."""
        try:
            return language_tag(self.text(key), key)
        except LanguageTagError as error:
            raise self.error(key, error.what, error.fix) from error

    def integer(self, key: str) -> int:
        """A whole number."""
        return self._typed(key, self._get(key), int, "a whole number")

    def integer_or_none(self, key: str) -> int | None:
        """A whole number, or None."""
        return self.integer(key) if self.has(key) else None

    def number(self, key: str) -> float:
        """Any finite number."""
        value = self._get(key)
        if isinstance(value, float):
            if not math.isfinite(value):  # JSON's 1e999
                raise self._wrong_type(key, value, "a finite number")
            return value
        try:
            return float(self._typed(key, value, int, "a number"))
        except OverflowError as error:  # JSON has whole numbers of any length
            raise self._wrong_type(key, value, "a smaller number") from error

    def number_or_none(self, key: str) -> float | None:
        """Any number, or None."""
        return self.number(key) if self.has(key) else None

    def time_or_none(self, key: str) -> str | None:
        """An ISO 8601 time as it is written, or None."""
        written = self.text_or_none(key)
        try:
            datetime.fromisoformat(written or "2000-01-01").astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self._wrong_type(key, written, "an ISO 8601 time") from error
        return written

    def choice(self, key: str, choices: type[Choice]) -> Choice:
        """A value of an enumeration."""
        return self._choose(key, self.text(key), choices)

    def choices(self, key: str, choices: type[Choice]) -> tuple[Choice, ...]:
        """A list of values of an enumeration."""
        return tuple(self._choose(key, value, choices) for value in self.texts(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(self._typed(key, value, str, "a list of texts") for value in self._list(key))

    def child(self, key: str) -> "Fields":
        """An object."""
        return self._fields(key, self._get(key))

    def children(self, key: str) -> Iterator["Fields"]:
        """A list of objects."""
        for index, value in enumerate(self._list(key)):
            yield self._fields(f"{key}[{index}]", value)

    def _fields(self, key: str, value: object) -> "Fields":
        row = self._typed(key, value, dict, "an object")
        path = f"{self.where}.{key}" if " " in self.where else f"{self.where} {key}"
        return replace(self, row=row, where=path)

    def _list(self, key: str) -> list[object]:
        return self._typed(key, self._get(key), list, "a list")

    def _get(self, key: str) -> object:
        if key not in self.row:
            raise self.error(key, "missing")
        return self.row[key]

    def _typed(self, key: str, value: object, kind: type[Typed], wanted: str) -> Typed:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self._wrong_type(key, value, wanted)
        return value

    def _wrong_type(self, key: str, value: object, wanted: str) -> SpanferryError:
        return self.error(key, f"{value!r:.40} where {wanted} should be")

    def _choose(self, key: str, value: str, choices: type[Choice]) -> Choice:
        try:
            return choices(value)
        except ValueError as error:
            raise self.error(key, f"{value!r} is none of {', '.join(choices)}") from error
