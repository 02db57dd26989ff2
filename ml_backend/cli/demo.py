"""`spanferry demo`: the bundled sample in a running Label Studio."""

import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.panel import Panel
from rich.table import Table

from ml_backend.cli.console import err, out, print_json
from ml_backend.cli.options import AsJson
from projection.errors import TrainingError
from projection.text.wording import counts_in_words

if TYPE_CHECKING:
    from ml_backend.demo.demo import Demo, Figures


def demo(
    *,
    folder: Annotated[Path, typer.Option(help="Everything the demo makes is kept here.")] = Path(
        ".demo"
    ),
    headless: Annotated[
        bool,
        typer.Option(
            "--headless", help="Walk the whole loop unattended, in a folder made anew, and end."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Project the bundled sample and open it for review in Label Studio.

    Stops what it started on Ctrl-C; the next start goes on where this one was.

    Example:

        spanferry demo --headless
    """
    from ml_backend.demo.demo import running, walk_the_loop  # noqa: PLC0415  torch takes seconds

    # A closed terminal should stop the servers as well as Ctrl-C does.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    if not headless:
        with running(folder, say) as up:
            welcome(up)
            with suppress(KeyboardInterrupt):
                signal.pause()
            say("Stopping Label Studio and the backend …")
        return
    shutil.rmtree(folder / "headless", ignore_errors=True)
    with running(folder / "headless", say) as up:
        figures = walk_the_loop(up)
    if as_json:
        print_json(report(figures))
    else:
        out.print(table(figures))
    before, after = figures.model_f1["all"]
    if after <= before:
        raise TrainingError(
            "fine-tune a target model",
            f"F1 went from {before:.3f} to {after:.3f}",
            f"Look at {folder / 'headless' / 'export'}",
        )


def say(what: str) -> None:
    """One line of progress."""
    err.print(what, highlight=False, markup=False)


def welcome(demo: "Demo") -> None:
    """Where to look, how to get in, and what to try."""
    account = demo.label_studio.account
    lines = [
        f"[bold]{demo.review_queue}[/bold]",
        f"e-mail    {account.user}",
        f"password  {account.password}",
        "",
        f"{demo.summary.read} sentences, {demo.summary.flagged_sentences} with something doubtful: "
        f"{counts_in_words(demo.summary.flagged)}",
        "",
        "Try: open the queue and accept a sentence with Ctrl+Enter; jump to a doubtful span",
        "with Alt+. and delete it with Backspace; press 1 to 4 and drag over the right words.",
        "Press Q, W, E or R and drag over an English name: its translation is marked.",
        "Then, in another terminal:",
        "",
        *activation(),
        f"  export LABEL_STUDIO_URL={demo.label_studio.url}",
        f"  export LABEL_STUDIO_API_KEY={account.token}",
        f"  spanferry report --project '{demo.project.title}' --out report",
        f"  spanferry export --project '{demo.project.title}' --out reviewed",
        "  spanferry train reviewed --out my-model",
        "",
        "Ctrl-C stops everything; the next start finds your reviews again.",
    ]
    out.print(Panel("\n".join(lines), title="Label Studio is ready", expand=False), highlight=False)


def activation() -> list[str]:
    """How another terminal finds `spanferry`, where it lives in a virtual environment."""
    return [f"  . {sys.prefix}/bin/activate"] if sys.prefix != sys.base_prefix else []


def report(figures: "Figures") -> dict[str, object]:
    """The table's content as one object; F1 as fractions."""
    return {
        "projected": figures.summary.read,
        "flagged": dict(figures.summary.flagged),
        "accepted": figures.accepted,
        "corrected": figures.corrected,
        "exported": figures.exported,
        "f1": {name: {"before": b, "after": a} for name, (b, a) in figures.model_f1.items()},
        "projection_f1": dict(zip(("before", "after"), figures.projection_f1, strict=True)),
        "audit": figures.audit.to_json(),
        "report": str(figures.report),
        "repredicted": figures.repredicted,
        "versions": list(figures.versions),
        "seconds": {name: round(seconds, 1) for name, seconds in figures.seconds.items()},
    }


def table(figures: "Figures") -> Table:
    """The whole loop in one table."""
    made = Table("stage", "result", title="The loop, on the bundled sample", title_justify="left")
    flagged = counts_in_words(figures.summary.flagged)
    made.add_row(
        "projected", f"{figures.summary.read} sentences, {figures.summary.entities} entities"
    )
    made.add_row("flagged", f"{figures.summary.flagged_sentences} sentences: {flagged}")
    made.add_row(
        "reviewed", f"{figures.corrected} corrected, {figures.accepted} accepted as they were"
    )
    made.add_row("exported", f"{figures.exported} sentences")
    for name, estimate in (
        ("precision", figures.audit.precision), ("recall", figures.audit.recall),
    ):  # fmt: skip
        made.add_row(f"audit, {name} of the rest", str(estimate))
    made.add_row("report", str(figures.report))
    made.add_section()
    for name, (before, after) in figures.model_f1.items():
        made.add_row(
            f"target model F1, {name}", f"{100 * before:.1f} before, {100 * after:.1f} after"
        )
    before, after = figures.projection_f1
    made.add_row("pre-annotation F1", f"{100 * before:.1f} before, {100 * after:.1f} after")
    made.add_row("predicted again", f"{figures.repredicted} tasks nobody had touched")
    made.add_row("model version", " → ".join(figures.versions))
    made.add_section()
    for name, seconds in figures.seconds.items():
        made.add_row(name, f"{seconds:.1f} s")
    return made
