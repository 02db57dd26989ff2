"""What teachers say of unlabelled text: their probabilities, and the tags they agree on."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from projection.checkpoints import longest_input
from projection.errors import ModelError
from projection.tagger import Tagger
from projection.windows import pieces
from training.examples import Example, Soft

TEACHING = "sentences taught"
PORTION = 256  # sentences between two signs of life


@torch.inference_mode()
def probabilities(
    teacher: Path,
    sentences: Sequence[Sequence[str]],
    tags: Sequence[str],
    on_progress: Callable[[int], None] = lambda _more: None,
) -> list[Soft]:
    """Words × `tags` for each sentence; a word the teacher sees nothing of has only zeros.

    Raises:
        ModelError: if the teacher cannot be loaded or has other tags.
    """
    tagger = Tagger.from_pretrained(teacher)
    if {*tagger.tags} != {*tags}:
        raise ModelError(str(teacher), f"its tags are {tagger.tags}, not {[*tags]}")
    order = [tagger.tags.index(tag) for tag in tags]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tagger.model.to(device)  # type: ignore[arg-type]
    answers: list[Soft] = [
        np.zeros((len(words), len(tags)), dtype=np.float32) for words in sentences
    ]
    limit = longest_input(tagger.model, tagger.tokenizer)
    for start in range(0, len(sentences), PORTION):
        part = sentences[start : start + PORTION]
        read = sorted(pieces(part, tagger.tokenizer, limit), key=lambda piece: piece.length)
        for first in range(0, len(read), tagger.batch_size):
            batch = read[first : first + tagger.batch_size]
            inputs = tagger.tokenizer.pad([piece.inputs for piece in batch], return_tensors="pt")
            logits = tagger.model(**inputs.to(device)).logits.float()
            for piece, row in zip(batch, logits.softmax(-1)[..., order].cpu().numpy(), strict=True):
                for word, position in piece.first_subwords:
                    answers[start + piece.sentence][word] = row[position]
        on_progress(len(part))
    return answers


def taught(
    sentences: Sequence[Sequence[str]], answers: Sequence[Sequence[Soft]], tags: Sequence[str]
) -> Iterator[Example]:
    """Unlabelled sentences with what teachers say of them.

    The probabilities and tags are those of the first teacher; a tag weighs 1 where all teachers
    find the same one likeliest (the vote of UniTrans) and 0 where they do not. A word that some
    teacher sees nothing of teaches nothing.

    Args:
        sentences: in words.
        answers: of each teacher, the probabilities for each sentence.
        tags: the columns of these.
    """
    for words, *soft in zip(sentences, *answers, strict=True):
        likeliest = np.stack([each.argmax(-1) for each in soft])
        seen = np.all([each.any(-1) for each in soft], axis=0)
        agreed = (likeliest == likeliest[0]).all(axis=0)
        yield Example(
            words=tuple(words),
            tags=tuple(
                tags[i] if there else None for i, there in zip(likeliest[0], seen, strict=True)
            ),
            weights=tuple(agreed.astype(float).tolist()),
            soft=soft[0],
        )
