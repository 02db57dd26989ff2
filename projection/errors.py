"""Errors that name where, what and the fix."""


class SpanferryError(Exception):
    """A mistake in the input or the set-up that a person can fix.

    The command line prints it as one line and exits with 2; a traceback means a bug of ours.
    """

    def __init__(self, where: str, what: str, fix: str = "") -> None:
        super().__init__(where, what, fix)
        self.where, self.what, self.fix = where, what, fix

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f". {self.fix}" if self.fix else "")


class SpanError(SpanferryError):
    """A span that is empty, backwards, outside its text, or not what it should cover."""


class LanguageTagError(SpanferryError):
    """A text that is no BCP 47 language tag."""


class CorpusError(SpanferryError):
    """A corpus file that cannot be read as what it claims to be."""


class ModelError(SpanferryError):
    """A checkpoint that is missing, unreadable, or made for another task."""


class RunError(SpanferryError):
    """A run folder that does not belong to this input and these settings."""


class ReviewError(SpanferryError):
    """An answer from Label Studio that contradicts what was sent."""


class ServerError(SpanferryError):
    """Label Studio or the backend cannot be reached, or refused."""


class TrainingError(SpanferryError):
    """Training data or settings that cannot make a model."""
