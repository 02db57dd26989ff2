"""compose.yaml as Docker Compose reads it: YAML, with ${VARIABLES} filled in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "compose.yaml").read_text("utf-8")

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:-|:\?)(?P<rest>[^}]*))?\}")

# What somebody would write into .env: only what has to be.
SECRETS = {
    "POSTGRES_PASSWORD": "datenbank geheim",
    "LABEL_STUDIO_SECRET_KEY": "unterschrift geheim",
    "LABEL_STUDIO_USERNAME": "owner@example.org",
    "LABEL_STUDIO_PASSWORD": "Sesam öffne dich",
    "SPANFERRY_BACKEND_PASSWORD": "öffne dich: Sesam",
}


def compose(**variables: str) -> dict[str, Any]:
    """The file with the secrets and `variables` filled in; others take their defaults.

    Raises:
        LookupError: with the message the file has for a variable that must be set.
    """
    found: dict[str, Any] = _filled(yaml.safe_load(TEXT), {**SECRETS, **variables})
    return found


def variables(text: str) -> dict[str, str | None]:
    """Each variable that is used, with its default or None where it has to be set."""
    return {
        found["name"]: found["rest"] if found["how"] == ":-" else None
        for found in _VARIABLE.finditer(text)
    }


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value(found, variables), value)
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    return value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if given := variables.get(found["name"]):
        return given
    if found["how"] != ":-":
        raise LookupError(found["rest"])
    return found["rest"]
