"""`spanferry benchmark`: how fast the pipeline is on this machine, beside other aligners."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from ml_backend.cli.console import print_result, progress, table
from ml_backend.cli.options import Aligner, AsJson, SourceFile, Strings, TargetFile, as_language
from projection.errors import CorpusError
from projection.io.corpus import read_moses
from projection.io.gold import read_gold
from projection.models import bundled
from projection.records import ParallelSentence

COMPARED = 400  # sentences of which each contender aligns all, each round


def benchmark(
    *,
    source: SourceFile = None,
    target: TargetFile = None,
    target_lang: Annotated[
        str | None, Option(help="BCP 47 tag of the target.", callback=as_language)
    ] = None,
    aligner: Aligner = None,
    sizes: Annotated[
        str, Option(help="Sentences to project, with commas between; the first several times.")
    ] = "300",
    rounds: Annotated[int, Option(min=1, help="Times that everything is measured.")] = 5,
    other: Annotated[
        Strings,
        Option(help="Another word aligner: NAME=COMMAND with {pairs} and {links}; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the aligner beside the published path and others, and the pipeline by size.

    Without --source, on the bundled sample. The published path asks the same encoder once for each
    entity. docs/speed.md says what each figure is, and how to compare with other word aligners.

    Example: spanferry benchmark --source a.en --target a.de --target-lang de --sizes 1000,10000
    """
    from ml_backend.benchmark import speed  # noqa: PLC0415  torch takes seconds to import
    from projection.pipeline.projector import Projector  # noqa: PLC0415

    counts = _counts(sizes)
    others = dict(_named(each) for each in other or ())
    sentences = _sentences(source, target, target_lang, max(*counts, COMPARED))
    compared = sentences[:COMPARED]
    counts = [count for count in counts if count <= len(sentences)] or [len(sentences)]
    projector = Projector.load(None, aligner)
    found = speed.machine() | speed.pipeline_speed(projector, sentences, counts, rounds)
    with progress("rounds", rounds) as advance:
        found |= speed.aligner_speed(projector, compared, others, rounds, advance)
    found |= speed.command_speed(sentences, rounds)
    print_result(found, [table(("", "", ""), _rows(found), text=(0, 2))], as_json=as_json)


def _counts(sizes: str) -> list[int]:
    if not all(part.strip().isdecimal() and int(part) for part in sizes.split(",")):
        raise CorpusError("--sizes", f"{sizes!r} is no list of numbers", "Such as 1000,10000")
    return sorted(int(part) for part in sizes.split(","))


def _named(other: str) -> tuple[str, str]:
    name, sign, command = other.partition("=")
    if not (name and sign and "{pairs}" in command):
        fix = "Such as 'awesome-align=awesome-align --data_file {pairs} --output_file {links}'"
        raise CorpusError("--other", f"{other!r} is no NAME=COMMAND with {{pairs}}", fix)
    return name, command


def _sentences(
    source: Path | None, target: Path | None, lang: str | None, most: int
) -> list[ParallelSentence]:
    if source is None and target is None:
        golds = (read_gold(bundled.sample_path(each)) for each in bundled.SAMPLE_LANGUAGES)
        return [gold.sentence for each in golds for gold in each]
    if source is None or target is None or lang is None:
        fix = "Pass --source, --target and --target-lang, or none for the bundled sample"
        raise CorpusError("benchmark", "needs both sides of a corpus and its language", fix)
    return [*islice(read_moses(source, target, "en", lang), most)]


def _rows(found: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    """Figures for people, with what they are."""
    rates: Mapping[str, float] = found["sentences_per_second"]
    ours, *others = rates
    ratios = [value for key, value in found.items() if key.startswith("ours_over_")]
    rows = [(ours, f"{rates[ours]:.0f} / s", f"sentences aligned, in {found['number_format']}")]
    rows += [
        (name, f"{rates[name]:.0f} / s", f"ours is {ratio:.1f} times as fast")
        for name, ratio in zip(others, ratios, strict=True)
    ]
    parts = {
        "eta_pad": "of the tokens are no padding",
        "eta_kernel": f"of {found['gflops_peak']:.0f} GFLOP/s, the fastest matrix product",
        "eta_host": "of the aligner's time is the encoder's",
    }
    rows += [(key, f"{found[key]:.2f}", what) for key, what in parts.items()]
    rows.append(("passes", f"{found['passes_per_sentence']:.2f}", "of an encoder for each pair"))
    rows += [
        (f"{int(size):,} lines", f"{seconds:.1f} s", "for 1,000 lines, whole pipeline")
        for size, seconds in found["seconds_per_1000_lines"].items()
    ]
    rows.append(("memory", f"{found['peak_memory_mb']:.0f} MB", "at most"))
    rows.append(("cold start", f"{found['cold_start_seconds']:.1f} s", "to project one sentence"))
    if (ratio := found.get("two_workers_over_one")) is not None:
        rows.append(("two workers", f"{ratio:.2f}", "times as fast as one, a thread each"))
    return rows
