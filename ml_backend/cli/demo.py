"""`spanferry demo`: the bundled sample in a running Label Studio."""

import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.panel import Panel
from rich.table import Table
from typer import Option

from ml_backend.auth import credentials_of
from ml_backend.cli.console import print_result, say, show, table
from ml_backend.cli.options import AsJson
from projection.errors import TrainingError
from projection.text.wording import counts_in_words, points

if TYPE_CHECKING:
    from ml_backend.demo.demo import Demo


def demo(
    *,
    folder: Annotated[Path, Option(help="Everything the demo makes is kept here.")] = Path(".demo"),
    headless: Annotated[bool, Option("--headless", help="Run the loop unattended.")] = False,
    port: Annotated[
        int | None, Option(help="Of Label Studio. [default: 8080, or a free one]")
    ] = None,
    backend_port: Annotated[
        int | None, Option(help="Of the backend. [default: 9090, or a free one]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Project the bundled sample and open it for review in Label Studio.

    Ctrl-C stops everything it started; the next start continues where this one was. --headless
    reviews, exports, trains and predicts again in a new folder, and ends.

    Example: spanferry demo --headless
    """
    from ml_backend.demo.demo import running  # noqa: PLC0415

    # A closed terminal stops the servers as Ctrl-C does.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    if not headless:
        with running(folder, say, port, backend_port) as up:
            _welcome(up)
            with suppress(KeyboardInterrupt):
                signal.pause()
            say("Stopping Label Studio and the backend …")
        return
    folder /= "headless"
    shutil.rmtree(folder, ignore_errors=True)
    with running(folder, say, port, backend_port) as up:
        from ml_backend.demo.loop import walk_the_loop  # noqa: PLC0415  takes seconds

        figures = walk_the_loop(up)
    print_result(figures, [_table(figures)], as_json=as_json)
    before, after = figures["f1"]["all"].values()
    if after <= before:
        what = f"F1 went from {before:.3f} to {after:.3f}"
        raise TrainingError("fine-tune a target model", what, f"Look at {folder / 'export'}")


def _welcome(demo: "Demo") -> None:
    """Print where to look, how to log in, and what to try."""
    account, summary = demo.label_studio.account, demo.summary
    in_environment = sys.prefix != sys.base_prefix
    lines = [
        demo.review_queue,
        f"e-mail    {account.user}",
        f"password  {account.password}",
        "",
        f"{summary.read} sentences, {summary.flagged_sentences} with conflicts: "
        f"{counts_in_words(summary.flagged)}",
        "",
        "Try: open the queue and accept a sentence with Ctrl+Enter; jump to a span in a conflict",
        "with Alt+. and delete it with Backspace; press 1 to 4 and drag over the right words.",
        "Press Q, W, E or R and drag over an English name: its translation is marked.",
    ]
    if lead := credentials_of(demo.backend.settings):
        page = f"{demo.backend.url}/lead/{demo.project.id}"
        login = [f"user      {lead.user}", f"password  {lead.password}"]
        lines += ["", f"How far the review is, for who leads it: {page}", *login]
    commands = [  # outside the frame, so that they can be copied
        "Then, in another terminal:",
        "",
        *([f". {sys.prefix}/bin/activate"] if in_environment else []),
        f"export LABEL_STUDIO_URL={demo.label_studio.url}",
        f"export LABEL_STUDIO_API_KEY={account.token}",
        f"spanferry report --project '{demo.project.title}' --out report",
        f"spanferry export --project '{demo.project.title}' --out reviewed",
        "spanferry train reviewed --out my-model",
        "",
        "Ctrl-C stops everything; the next start finds your reviews again.",
    ]
    show(Panel("\n".join(lines), title="Label Studio is ready", expand=False))
    show("\n".join(commands))


def _in_words(f1: dict[str, Any]) -> str:
    return f"{points(f1['before'])} before, {points(f1['after'])} after"


def _table(figures: dict[str, Any]) -> Table:
    """Put the whole loop into one table."""
    rows = [
        ("projected", f"{figures['projected']} sentences"),
        ("flagged", counts_in_words(figures["flagged"])),
        ("reviewed", "{corrected} corrected, {accepted} accepted".format_map(figures)),
        ("exported", f"{figures['exported']} sentences"),
    ]
    for name in ("precision", "recall"):
        value, low, high = (points(figures["audit"][name][key]) for key in ("value", "low", "high"))
        rows.append((f"audit, {name} of the rest", f"{value} % [{low}, {high}]"))
    rows.append(("report", figures["report"]))
    rows += ((f"target model F1, {name}", _in_words(f1)) for name, f1 in figures["f1"].items())
    gain = figures["gain"]
    interval = f"95 % interval of the gain {points(gain['low'])} to {points(gain['high'])}"
    served = "would" if gain["beyond_chance"] else "would not"
    verdict = f"a training at the backend {served} serve this model"
    rows.append(("pre-annotation F1", f"{_in_words(gain)} ({interval}): {verdict}"))
    rows.append(("predicted again", f"{figures['repredicted']} tasks nobody had touched"))
    rows.append(("model version", " → ".join(figures["versions"])))
    rows += ((name, f"{seconds:.1f} s") for name, seconds in figures["seconds"].items())
    return table(("stage", "result"), rows, text=(0, 1))
