"""What the conflict checks of a run flagged and dropped before the review."""

from pathlib import Path

from projection.io.json_fields import Fields
from projection.io.records_json import Json
from projection.pipeline.run import load_dropped
from projection.pipeline.run_summary import load_summary


def filters_of(run: Path) -> Json:
    """Return the sentences of a run by outcome: `read = kept + flagged + dropped`.

    Each of `reasons` has a `kind` of conflict or of unfit sentence, how many it `flagged` and
    `dropped`, and the reason of the first one dropped as an `example`. Raises RunError if `run` is
    not the folder of a finished run, CorpusError if one of its files is damaged.
    """
    summary = load_summary(run)
    flagged, dropped = summary.flagged, summary.dropped
    examples = _examples(run, set(dropped))
    return {
        "read": summary.read,
        "kept": summary.kept,
        "flagged": summary.flagged_sentences,
        "dropped": summary.dropped_sentences,
        "reasons": [
            {
                "kind": kind,
                "flagged": flagged.get(kind, 0),
                "dropped": dropped.get(kind, 0),
                "example": examples.get(kind, ""),
            }
            for kind in sorted({*flagged, *dropped})
        ],
    }


def _examples(run: Path, kinds: set[str]) -> dict[str, str]:
    """Return the first reason of each kind; read no further than needed."""
    found: dict[str, str] = {}
    for where, row in load_dropped(run) if kinds else ():
        for drop in Fields(row, where).children("dropped"):
            found.setdefault(drop.text("kind"), drop.text("reason"))
        if kinds <= found.keys():
            break
    return found
