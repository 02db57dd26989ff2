"""The course of a training on the terminal: loss and dev F1, a line an epoch or half of one."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ml_backend.cli.console import say

COURSE = "training.trainer.trainer"  # the logger that trainings tell their figures


class SaidLines(logging.Handler):
    """Prints messages on stderr as they are, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        say(record.getMessage())


@contextmanager
def figures_shown() -> Iterator[None]:
    """Show the figures of trainings while the block runs."""
    logger, handler = logging.getLogger(COURSE), SaidLines(logging.INFO)
    level, spread = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = spread
