"""Names for formats of labelled text that are not read, and how to convert them."""

import re

_IOB2 = "Write IOB2: a token, a tab and its tag a line, an empty line after each sentence"

# What the first line of a file looks like, and what such a file is.
_FORMATS = (
    (re.compile(r"\s*[{[]"), "JSON, not a token and its tag"),
    (re.compile(r"\s*<"), "XML or HTML, not a token and its tag"),
    (re.compile(r"#FORMAT=WebAnno|\d+-\d+\s\d+-\d+\s"), "WebAnno TSV"),
    (re.compile(r"\d+(?:\s\S+){9}$"), "CoNLL-U without NER= in the last column"),
    (re.compile(r"T\d+\s\S+ \d+ \d+"), "brat standoff, without the text"),
    (
        re.compile(r"#begin document|.*\s\((?:[A-Z_]+\*|\d+)"),
        "CoNLL-2012, with entities in brackets",
    ),
    (re.compile(r"[^\t]*(?:,[^\t]*){2}|[^\t, ]+[,;](?:[BIESLUMW]-\S+|O|[a-z_]*tags?)"), "CSV"),
    (re.compile(r"\S+[/|](?:[BIESLUMW]-\S+|O)(?: |$)"), "a sentence a line, with tags in the text"),
)
_HEADINGS = {"tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "entity", "ne"}
_FILES = {
    ".arrow": "Arrow",
    ".csv": "CSV",
    ".json": "JSON",
    ".parquet": "Parquet",
    ".spacy": "spaCy's DocBin",
    ".xlsx": "a spreadsheet",
    ".xml": "XML",
}


def name_format(line: str) -> tuple[str, str] | None:
    """Return what a file with this first line is, and what to do; None if it is not known."""
    what = next((name for looks, name in _FORMATS if looks.match(line)), None)
    return None if what is None else (what, _IOB2)


def name_file(name: str) -> tuple[str, str] | None:
    """Return what a file of this name is, and what to do; None if it may have tokens and tags."""
    what = next((what for ending, what in _FILES.items() if name.lower().endswith(ending)), None)
    return None if what is None else (f"{what}, not text with a token and its tag a line", _IOB2)


def name_json(keys: set[str]) -> tuple[str, str]:
    """Return what JSON Lines that are no export are, by the keys of a line, and what to do."""
    if "tokens" in keys:
        what = "tokens and tags as JSON"
    elif keys & {"text", "data"}:
        what = "text with spans as JSON (doccano, Prodigy, Label Studio)"
    else:
        what = "JSON Lines of another kind"
    return f"not an export of spanferry, but {what}", _IOB2


def fix_tag(tag: str) -> str:
    """Return the fix for an unknown tag."""
    if tag.lower() in _HEADINGS:
        return "Remove the line, if it is a heading"
    if tag == "0":
        return "Outside is the letter O, not zero"
    if re.fullmatch(r"(?![BIESLUMWO]_)[A-Z][A-Za-z_]*", tag):
        return (
            "Tags are O, B-TYPE and I-TYPE. If these are types, put I- in front: "
            'awk \'NF && $NF != "O" {$NF = "I-" $NF} 1\''
        )
    return "Tags are O, B-TYPE, I-TYPE and _ (unknown)"
