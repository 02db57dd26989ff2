"""Every setting of the backend: its names in the environment, its default and its meaning.

`python -m ml_backend.settings > docs/settings.md` writes the table of docs/settings.md.
"""

import csv
import difflib
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from projection.errors import SpanferryError

PREFIX = "SPANFERRY_BACKEND_"


class SettingsError(SpanferryError):
    """A setting that cannot be read, or two that contradict each other."""


def listed(text: str) -> tuple[str, ...]:
    """Split at commas, but not inside double quotes: `"Company, Inc",PER`."""
    parts = next(csv.reader([text], skipinitialspace=True), [])
    return tuple(part.strip() for part in parts if part.strip())


def _split(value: object) -> object:
    return listed(value) if isinstance(value, str) else value


_Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().resolve())]
_List = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
_Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Settings(BaseSettings):
    """The settings of the backend, read by `from_env` from SPANFERRY_BACKEND_… or an alias."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        populate_by_name=True,
        validate_default=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    data_dir: _Folder = Field(
        Path("~/.local/share/spanferry"), validation_alias=AliasChoices("SPANFERRY_DATA_DIR")
    )
    """Folder for the model store, the training jobs with the reviews they learn from, the
    corrections to remember, and the generated password. Every training adds to the first two; of
    models that were never active the store keeps the five newest. What is written there is for its
    owner alone: folders of mode 700, files of mode 600."""
    host: str = "127.0.0.1"
    """Address to listen on. `0.0.0.0` when Label Studio runs in another container."""
    port: int = Field(9090, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one and logs it."""
    workers: int = Field(1, ge=1, le=64)
    """Processes. Each holds its own copy of the model; `/metrics` has the counts of all."""
    threads: int = Field(128, ge=4, le=256)
    """Requests a process answers at once, at most half of them batches of tasks, and three in four
    predictions of any kind; one more is answered 503 at once."""
    torch_threads: int = Field(0, ge=0, le=1024)
    """CPU threads a process computes with; 0 shares the CPUs among the workers, within the limits
    of a container."""
    auth: bool = True
    """`off` answers anyone who can reach the port."""
    user: str | None = Field(
        None, validation_alias=AliasChoices(PREFIX + "USER", "BASIC_AUTH_USER")
    )
    """User of HTTP basic authentication; `spanferry` when only a password is given."""
    password: str | None = Field(
        None, validation_alias=AliasChoices(PREFIX + "PASSWORD", "BASIC_AUTH_PASS"), repr=False
    )
    """Password of at least 12 characters, and the token of webhooks. When unset, one is generated
    and kept in the data folder, readable by its owner only."""
    webhook_secrets: _List = Field((), repr=False)
    """Secrets that open `/webhook` and nothing else, with commas between. `spanferry push` writes
    the first one into a project's webhook. To change it, put the new one before the old one, push
    every project again, then remove the old one."""
    max_body_mb: int = Field(128, ge=1, le=4096)
    """Largest request body in MiB. Label Studio sends all selected tasks in one body, about 20 kB a
    task."""
    max_tasks: int = Field(5000, ge=1, le=1_000_000)
    """Most tasks in one request body."""
    load_wait: _Seconds = 60
    """Seconds `/predict` waits for the first model to load before it answers 503."""
    predict_seconds: _Seconds = Field(100, ge=1)
    """Seconds after which a `/predict` is given up, because Label Studio has: 100."""
    sentences_per_turn: int = Field(32, ge=1, le=4096)
    """Most sentences of several requests projected at once; fewer if that takes over 0.15 s."""
    poll_seconds: _Seconds = Field(0.5, ge=0.01)
    """Seconds between two looks at which model is active."""
    train_each: int = Field(0, ge=0, validation_alias=AliasChoices("START_TRAINING_EACH_N_UPDATES"))
    """Reviews after which a training is queued by itself; 0 waits for Label Studio's “Start
    training”. It needs `LABEL_STUDIO_URL` and `LABEL_STUDIO_API_KEY`."""
    public_label_studio_url: str | None = None
    """Label Studio's address in a browser, for the links of `/lead`. When unset,
    `LABEL_STUDIO_URL`."""
    log_format: Literal["text", "json"] = "text"
    """`json` writes an object a line, each request with its `X-Request-ID`; predictions beyond the
    limit are only counted."""
    log_text: bool = False
    """`on` adds debug lines that may quote task text. Off, logs name tasks and offsets alone."""
    teacher: str | None = None
    """English NER model: a folder or a name on the hub. When unset, the bundled one. A name that
    begins with `gliner:` is that of a GLiNER checkpoint."""
    types: _List = ()
    """Entity types that a GLiNER teacher looks for, with commas between, such as `drug,disease`."""
    aligner: str | None = None
    """Entity aligner: a folder or a name on the hub. When unset, the bundled one."""
    labels: _List = ()
    """`THEIRS=OURS` for each of the teacher's entity types, with commas between; one that has a
    comma itself in double quotes."""
    suppress: _List = ()
    """Entity types of the teacher to ignore, with commas between."""
    loader: str = "ml_backend.serving.loading:projector_loader"
    """`module:function` that takes the settings and returns the function that loads a projector."""

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # the other sources are not used
        cls, _cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **_: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing but what `from_env` passes."""
        return (init_settings,)

    @classmethod
    def from_env(
        cls, env: Mapping[str, str], given: Mapping[str, str | None] | None = None
    ) -> Self:
        """Read every setting from `env` (usually `os.environ`); an empty value counts as unset.

        `given` are texts by field name, such as options, that override the environment.
        SettingsError names the variable or option that cannot be read or does not exist.
        """
        _refuse_unknown(env)
        options = {name: text for name, text in (given or {}).items() if text is not None}
        said = {name: text for name, text in env.items() if text and name in _known()}
        said |= {_names(name)[0]: text for name, text in options.items()}
        source = EnvSettingsSource(cls)
        source.env_vars = {name.lower(): text for name, text in said.items()}
        try:
            settings = cls(**source())
        except ValidationError as error:
            raise _refused(error, said, options) from None
        if settings.user and not settings.password:
            what, fix = "there is a user without a password", f"Set {PREFIX}PASSWORD too"
            raise SettingsError(PREFIX + "USER", what, fix)
        return settings

    @property
    def model_store(self) -> Path:
        """The folder of the model store."""
        return self.data_dir / "models"

    @property
    def jobs_folder(self) -> Path:
        """The folder of the training jobs."""
        return self.data_dir / "jobs"

    @property
    def memory(self) -> Path:
        """The folder of what each project has corrected."""
        return self.data_dir / "memory"

    @property
    def predictions(self) -> int:
        """The predictions a process may work on at once, below its threads."""
        return 3 * self.threads // 4

    @property
    def cpu_threads(self) -> int:
        """The CPU threads of one process."""
        return self.torch_threads or max(1, cpu_count() // self.workers)


def cpu_count(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Count the CPUs this process may use: the least of its affinity and its container's quota.

    `cgroups` is where control groups of version 1 or 2 are mounted; `own` lists this process's.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:  # not on macOS
        count = os.cpu_count() or 1
    return max(1, math.ceil(min([count, *_quotas(cgroups, own)])))


def _quotas(cgroups: Path, own: Path) -> Iterator[float]:
    """Yield the CPU limits of this process's control groups and the groups around them."""
    paths = {"/"}
    with suppress(OSError):
        paths |= {line.split(":", 2)[2] for line in own.read_text().splitlines()}
    for path in paths:
        # A path of the host is not there in a container: its own group is the root then.
        here = Path(path.lstrip("/"))
        for group in (here, *here.parents):
            with suppress(OSError, ValueError, ZeroDivisionError):  # "max" is no number
                most, period = (cgroups / group / "cpu.max").read_text().split()
                yield int(most) / int(period)
            with suppress(OSError, ValueError, ZeroDivisionError):
                files = (cgroups / "cpu" / group / f"cpu.cfs_{n}_us" for n in ("quota", "period"))
                most_us, period_us = (int(file.read_text()) for file in files)
                if most_us > 0:  # -1 is no limit
                    yield most_us / period_us


def without_settings(env: Mapping[str, str]) -> dict[str, str]:
    """Return `env` without the variables of settings."""
    known = _known()
    return {k: v for k, v in env.items() if k not in known and not k.startswith(PREFIX)}


def _names(field: str) -> list[str]:
    """Return the variables that set a field; the first one wins."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return [*map(str, alias.choices)]
    return [PREFIX + field.upper()]


def _known() -> list[str]:
    return [name for field in Settings.model_fields for name in _names(field)]


def _refuse_unknown(env: Mapping[str, str]) -> None:
    """Raise SettingsError for a misspelt variable, which would leave a default in place."""
    known = {name.removeprefix(PREFIX): name for name in _known()}
    for name in env:
        if name.startswith(PREFIX) and name not in known.values():
            near = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
            fix = f"Did you mean {known[near[0]]}?" if near else "docs/settings.md lists them all"
            raise SettingsError(name, "there is no such setting", fix)


def _refused(
    error: ValidationError, said: Mapping[str, str], options: Mapping[str, str]
) -> SettingsError:
    """Return the first error in one line. Secrets take any text, so none is quoted here."""
    first = error.errors(include_input=False, include_url=False)[0]
    [field] = [f for f in Settings.model_fields if first["loc"][0] in (f, *_names(f))]
    name = next(name for name in _names(field) if name in said)
    shown = "--" + field.replace("_", "-") if field in options else name
    what = f"{said[name]!r} does not fit: {first['msg'][0].lower()}{first['msg'][1:]}"
    return SettingsError(shown, what, f"The default is {_default(field)}")


def _default(field: str) -> str:
    """Return the default as it is written in the environment."""
    default = Settings.model_fields[field].default
    if default is True:
        return "on"
    return "" if default in (None, ()) else str(default)


def label_table(pairs: Sequence[str]) -> dict[str, str] | None:
    """Return pairs such as PERSON=PER as a table, or None if there are none."""
    table = {}
    for pair in pairs:
        theirs, _, ours = map(str.strip, pair.partition("="))
        if not (theirs and ours):
            raise SettingsError("label table", f"{pair!r} is not THEIRS=OURS", "Such as PERSON=PER")
        table[theirs] = ours
    return table or None


def documentation() -> str:
    """Return the page that lists every setting, in Markdown."""
    lines = [
        "# Settings of the backend",
        "",
        "`spanferry serve` reads these from the environment; its options win over them.",
        "Written by `python -m ml_backend.settings > docs/settings.md`.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for field, info in Settings.model_fields.items():
        names = " or ".join(f"`{name}`" for name in _names(field))
        default = f"`{_default(field)}`" if _default(field) else ""
        lines.append(f"| {names} | {default} | {' '.join((info.description or '').split())} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(documentation())
