"""A page to try a model on: a sentence for a tagger, a sentence pair for a projector.

It works without scripts, keeps nothing, and answers only requests to an address of this machine.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from flask import Flask, Response, abort, render_template, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import RequestEntityTooLarge

from label_config.colors import colors_of
from projection.errors import SpanferryError
from projection.languages import language_tag
from projection.pipeline.projector import pair as pair_of
from projection.protocols import ProjectsSentences, Tagging
from projection.records import Span
from projection.text.wording import DASH, in_words

NAMES = {"127.0.0.1", "localhost"}  # else a page of another site could have its name lead here
MOST_BYTES = 20_000  # of a form
LIKELY = 0.05  # alternatives below are not shown
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"


class TagsText(Protocol):
    """What of a tagger the page needs."""

    def tag_with_alternatives(self, texts: Sequence[str], lang: str) -> list[Tagging]:
        """The entities of each text and the likeliest others."""


class TextPiece(NamedTuple):
    """A piece of a text: in an entity if it has a label, with its number if entities have one."""

    text: str
    label: str = ""
    number: int | None = None


class EntityLine(NamedTuple):
    """A line of the table of entities."""

    number: int | None
    source: str
    target: str
    label: str
    score: float


class Shown(NamedTuple):
    """What the page shows of an answer."""

    texts: list[list[TextPiece]]
    lines: list[EntityLine]
    doubts: list[tuple[str, str]]


Answer = Callable[[str, str, str], Shown]
"""Takes a sentence, its translation (empty for a tagger), and the language that may differ."""


def create_page(
    answer: Answer, name: str, labels: Sequence[str], lang: str, *, pair: bool
) -> Flask:
    """The page of the model `name` with its `labels`, each in its colour of a project.

    `lang` is offered first; `pair` asks for a translation.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["colors"] = colors_of(labels)
    fields = ("text", "translation", "lang") if pair else ("text", "lang")

    @app.before_request
    def refuse_other_names() -> None:
        if request.host.partition(":")[0] not in NAMES:
            abort(403)

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.route("/", methods=["GET", "POST"])
    def page() -> str:
        given, found, mistake = {"text": "", "translation": "", "lang": lang}, None, ""
        try:
            given |= {field: request.form[field].strip() for field in fields if request.form}
            if given["text"]:
                spoken = language_tag(given["lang"], "language")
                found = answer(given["text"], given["translation"], spoken)
        except SpanferryError as error:
            mistake = str(error)
        except RequestEntityTooLarge:
            mistake = f"The text is longer than {MOST_BYTES:,} bytes. Give a sentence."
        shown = {"name": name, "given": given, "found": found, "mistake": mistake}
        return render_template("try.html", pair=pair, **shown)

    return app


def tagged(tagger: TagsText, text: str, _translation: str, lang: str) -> Shown:
    """Tag a text."""
    (tagging,) = tagger.tag_with_alternatives([text], lang)
    lines = [
        EntityLine(None, "", e.span.of(text), e.label, e.score or 0.0) for e in tagging.entities
    ]
    doubts = [
        ("maybe", f"“{other.span.of(text)}” as {other.label}: {100 * other.score:.0f} %")
        for other in tagging.alternatives
        if other.score is not None and other.score >= LIKELY
    ]
    spans = [(entity.span, entity.label, None) for entity in tagging.entities]
    return Shown([[*marks(text, spans)]], lines, doubts)


def projected(projector: ProjectsSentences, source: str, target: str, lang: str) -> Shown:
    """Project a pair: an entity has the same number on both sides.

    Without a translation the confidence is the teacher's.
    """
    (answer,) = projector.project([pair_of(source, target, lang)])
    found = sorted(answer.projections, key=lambda each: each.source.span)
    numbers = {entity: n for n, entity in enumerate(dict.fromkeys(p.source for p in found), 1)}
    named = [(entity.span, entity.label, number) for entity, number in numbers.items()]
    lines = [
        EntityLine(
            numbers[each.source],
            each.source.span.of(source),
            DASH if each.target is None else each.target.of(target),
            each.source.label,
            each.score if target else each.source.score or 0.0,
        )
        for each in found
    ]
    if not target:
        return Shown([[*marks(source, named)]], lines, [])
    placed = [
        (each.target, each.source.label, numbers[each.source])
        for each in found
        if each.target is not None
    ]
    doubts = [(in_words(each.kind), each.reason) for each in answer.conflicts]
    return Shown([[*marks(source, named)], [*marks(target, placed)]], lines, doubts)


def marks(text: str, spans: Sequence[tuple[Span, str, int | None]]) -> Iterator[TextPiece]:
    """Cut a text into pieces; of entities that overlap, the first is marked."""
    done = 0
    for span, label, number in sorted(spans, key=lambda each: each[0]):
        if span.start >= done:
            if span.start > done:
                yield TextPiece(text[done : span.start])
            yield TextPiece(span.of(text), label, number)
            done = span.end
    if done < len(text):
        yield TextPiece(text[done:])
