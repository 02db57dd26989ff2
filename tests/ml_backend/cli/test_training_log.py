"""The figures of a training are on stderr while it runs, and only then."""

import logging

import pytest

from ml_backend.cli.console import bars
from ml_backend.cli.training_log import COURSE, figures_shown
from training.trainer import trainer


def test_figures_are_shown_while_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert trainer.log.name == COURSE
    with figures_shown(), bars() as on_progress:
        on_progress("training steps", 1, 2)
        trainer.log.info("epoch %.1f: loss %.4f", 1, 0.5)
        trainer.log.debug("no figure")
    trainer.log.info("later")
    assert "\nepoch 1.0: loss 0.5000\n" in capsys.readouterr().err
    assert (trainer.log.level, trainer.log.propagate) == (logging.NOTSET, True)
