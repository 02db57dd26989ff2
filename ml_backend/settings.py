"""Every setting of the backend: its name in the environment, its default and what it means.

`docs/settings.md` is this table, written by `python -m ml_backend.settings > docs/settings.md`.
"""

import difflib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Self, TypedDict

from projection.errors import SpanferryError

PREFIX = "SPANFERRY_BACKEND_"


class SettingsError(SpanferryError):
    """A setting that has no meaning, or two that contradict each other."""


class Described(TypedDict):
    """What is known about a setting beside its type. `default` is as one would write it."""

    names: tuple[str, ...]
    default: str | None
    read: Callable[[str], object]
    doc: str


def _described(
    *names: str, default: str | None, doc: str, read: Callable[[str], object] = str
) -> Described:
    return Described(names=names, default=default, read=read, doc=doc)


def _folder(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _switch(text: str) -> bool:
    meanings = {"on": True, "off": False}
    if text.lower() not in meanings:
        raise ValueError(f"{text!r} is neither on nor off")
    return meanings[text.lower()]


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if number < least or (most is not None and number > most):
            raise ValueError(f"{number} is not between {least} and {most or 'any'}")
        return number

    return read


def _seconds(least: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        seconds = float(text)
        if not least <= seconds <= 86_400:
            raise ValueError(f"{text} is not between {least} and 86400 seconds")
        return seconds

    return read


@dataclass(frozen=True, slots=True)
class Settings:
    """What the backend runs with. Made once, by `from_env`; the command line replaces fields."""

    data_dir: Path = field(
        metadata=_described(
            "SPANFERRY_DATA_DIR",
            default="~/.local/share/spanferry",
            read=_folder,
            doc="Folder for the model store, the training jobs with their exports, the webhook "
            "events and the generated password. Every training adds to the first two.",
        )
    )
    host: str = field(
        metadata=_described(
            PREFIX + "HOST",
            default="127.0.0.1",
            doc="Address to listen on. `0.0.0.0` when Label Studio runs in another container.",
        )
    )
    port: int = field(
        metadata=_described(
            PREFIX + "PORT",
            default="9090",
            read=_whole(0, 65_535),
            doc="Port to listen on; 0 takes a free one and logs it.",
        )
    )
    workers: int = field(
        metadata=_described(
            PREFIX + "WORKERS",
            default="1",
            read=_whole(1, 64),
            doc="Processes. Each holds its own copy of the model and counts its own `/metrics`.",
        )
    )
    threads: int = field(
        metadata=_described(
            PREFIX + "THREADS",
            default="16",
            read=_whole(2, 256),
            doc="Requests a process handles at once. Waiting for the model takes a thread too.",
        )
    )
    torch_threads: int = field(
        metadata=_described(
            PREFIX + "TORCH_THREADS",
            default="0",
            read=_whole(0, 1024),
            doc="CPU threads a process computes with; 0 shares the cores among the workers.",
        )
    )
    auth: bool = field(
        metadata=_described(
            PREFIX + "AUTH",
            default="on",
            read=_switch,
            doc="`off` answers anyone who can reach the port.",
        )
    )
    user: str | None = field(
        metadata=_described(
            PREFIX + "USER",
            "BASIC_AUTH_USER",
            default=None,
            doc="User of HTTP basic authentication; `spanferry` when only a password is given.",
        )
    )
    password: str | None = field(
        repr=False,
        metadata=_described(
            PREFIX + "PASSWORD",
            "BASIC_AUTH_PASS",
            default=None,
            doc="Password, and the token of webhooks. "
            "When unset, one is generated and kept in the data folder, readable by its owner only.",
        ),
    )
    max_body_mb: int = field(
        metadata=_described(
            PREFIX + "MAX_BODY_MB",
            default="128",
            read=_whole(1, 4096),
            doc="Largest request body in MiB. Label Studio sends all selected tasks in one body, "
            "about 20 kB a task.",
        )
    )
    load_wait: float = field(
        metadata=_described(
            PREFIX + "LOAD_WAIT",
            default="60",
            read=_seconds(0),
            doc="Seconds `/predict` waits for the first model to load before it answers 503.",
        )
    )
    predict_seconds: float = field(
        metadata=_described(
            PREFIX + "PREDICT_SECONDS",
            default="100",
            read=_seconds(1),
            doc="Seconds after which a `/predict` is given up, because Label Studio has: 100.",
        )
    )
    sentences_per_turn: int = field(
        metadata=_described(
            PREFIX + "SENTENCES_PER_TURN",
            default="4",
            read=_whole(1, 4096),
            doc="Sentences a request may project before another request gets its turn.",
        )
    )
    poll_seconds: float = field(
        metadata=_described(
            PREFIX + "POLL_SECONDS",
            default="2",
            read=_seconds(0.01),
            doc="Seconds between two looks at which model is active.",
        )
    )
    event_queue: int = field(
        metadata=_described(
            PREFIX + "EVENT_QUEUE",
            default="10000",
            read=_whole(1),
            doc="Webhook events that may wait to be written; more are refused with 503.",
        )
    )
    train_each: int = field(
        metadata=_described(
            "START_TRAINING_EACH_N_UPDATES",
            default="0",
            read=_whole(0),
            doc="Reviews after which a training is queued by itself; 0 waits for Label Studio's "
            "“Start training”. It needs `LABEL_STUDIO_URL` and `LABEL_STUDIO_API_KEY`.",
        )
    )
    teacher: str | None = field(
        metadata=_described(
            PREFIX + "TEACHER",
            default=None,
            doc="English NER model: a folder or a name on the hub. When unset, the bundled one.",
        )
    )
    aligner: str | None = field(
        metadata=_described(
            PREFIX + "ALIGNER",
            default=None,
            doc="Entity aligner: a folder or a name on the hub. When unset, the bundled one.",
        )
    )
    labels: tuple[str, ...] = field(
        metadata=_described(
            PREFIX + "LABELS",
            default="",
            read=_list,
            doc="`THEIRS=OURS` for each of the teacher's entity types, with commas between.",
        )
    )
    suppress: tuple[str, ...] = field(
        metadata=_described(
            PREFIX + "SUPPRESS",
            default="",
            read=_list,
            doc="Entity types of the teacher to ignore, with commas between.",
        )
    )
    loader: str = field(
        metadata=_described(
            PREFIX + "LOADER",
            default="ml_backend.serving.loading:projector_loader",
            doc="`module:function` that takes the settings and returns the function that loads "
            "a projector.",
        )
    )

    @classmethod
    def from_env(
        cls, env: Mapping[str, str], given: Mapping[str, str | None] | None = None
    ) -> Self:
        """Read every setting from `env` (usually `os.environ`); an empty value counts as unset.

        `given` are texts by field name that win over the environment, such as options.

        Raises:
            SettingsError: naming the variable or option that cannot be read or does not exist.
        """
        _refuse_unknown(env)
        given = given or {}
        values = {each.name: _value(each, env, given.get(each.name)) for each in fields(cls)}
        settings = cls(**values)
        if settings.user and not settings.password:
            raise SettingsError(
                PREFIX + "USER", "there is a user without a password", f"Set {PREFIX}PASSWORD too"
            )
        return settings

    @property
    def model_store(self) -> Path:
        """Folder of the model store."""
        return self.data_dir / "models"

    @property
    def jobs_folder(self) -> Path:
        """Folder of the training jobs."""
        return self.data_dir / "jobs"

    @property
    def events_file(self) -> Path:
        """Where webhook events are appended."""
        return self.data_dir / "events.jsonl"

    @property
    def cpu_threads(self) -> int:
        """CPU threads one process may compute with."""
        return self.torch_threads or max(1, (os.cpu_count() or 1) // self.workers)


def _value(setting: "Field[Any]", env: Mapping[str, str], given: str | None) -> Any:
    default = setting.metadata["default"]
    name, text = next(_texts(setting, env, given), (setting.name, default))
    if text is None:
        return None
    try:
        return setting.metadata["read"](text)
    except ValueError as error:
        raise SettingsError(name, str(error), f"The default is {default}") from None


def _texts(
    setting: "Field[Any]", env: Mapping[str, str], given: str | None
) -> Iterator[tuple[str, str]]:
    """Where the value is said, and what; the one that wins in front."""
    if given is not None:
        yield "--" + setting.name.replace("_", "-"), given
    for name in setting.metadata["names"]:
        if env.get(name):
            yield name, env[name]


def without_settings(env: Mapping[str, str]) -> dict[str, str]:
    """`env` without anything that settings are read from: for a backend that is set otherwise."""
    known = _names()
    return {k: v for k, v in env.items() if k not in known and not k.startswith(PREFIX)}


def _names() -> list[str]:
    return [name for each in fields(Settings) for name in each.metadata["names"]]


def _refuse_unknown(env: Mapping[str, str]) -> None:
    """A misspelt name would otherwise be ignored, with auth or limits left at their defaults."""
    known = _names()
    for name in env:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            fix = f"Did you mean {near[0]}?" if near else "docs/settings.md lists them all"
            raise SettingsError(name, "there is no such setting", fix)


def label_table(pairs: Sequence[str]) -> dict[str, str] | None:
    """`["PERSON=PER"]` as a table; None where nothing is to be renamed.

    Raises:
        SettingsError: naming the pair that is none.
    """
    table = {}
    for pair in pairs:
        theirs, equals, ours = pair.partition("=")
        if not (theirs and equals and ours):
            raise SettingsError("label table", f"{pair!r} is not THEIRS=OURS", "Such as PERSON=PER")
        table[theirs] = ours
    return table or None


def documentation() -> str:
    """The page that lists every setting, in Markdown."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Settings of the backend"
    yield ""
    yield "`spanferry serve` reads these from the environment; its options win over them."
    yield "Written by `python -m ml_backend.settings > docs/settings.md`."
    yield ""
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for each in fields(Settings):
        names = " or ".join(f"`{name}`" for name in each.metadata["names"])
        default = f"`{each.metadata['default']}`" if each.metadata["default"] else ""
        yield f"| {names} | {default} | {each.metadata['doc']} |"


if __name__ == "__main__":
    sys.stdout.write(documentation())
