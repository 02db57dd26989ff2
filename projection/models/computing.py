"""How models are computed: the device, the precision, batches, and the threads on them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from transformers import PreTrainedModel

Model = TypeVar("Model", bound=PreTrainedModel)
Item = TypeVar("Item")
Made = TypeVar("Made")


def on_gpu(model: Model) -> Model:
    """Move the model to the GPU, if there is one; `CUDA_VISIBLE_DEVICES=` hides it."""
    if torch.cuda.is_available():
        model.to("cuda")  # type: ignore[arg-type]  # decorated without self
    return model


def has_bfloat16() -> bool:
    """Return whether the GPU, or without one the processor, computes in bfloat16."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def in_bfloat16(model: PreTrainedModel) -> None:
    """Convert a model but for its table of subwords, which may be another model's, too."""
    table: Any = model.get_input_embeddings()
    weight, table.weight = table.weight, None
    model.to(torch.bfloat16)  # type: ignore[arg-type]  # decorated without self
    table.weight = weight
    table.register_forward_hook(lambda _table, _ids, found: found.to(torch.bfloat16))


def device_name() -> str:
    """The product name of the GPU, or `CPU`."""
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "CPU"


def tokens_at_once(device: torch.device) -> int:
    """The subwords of a batch, padding included, that keep the cores, or the GPU, at work."""
    return 1 << 15 if device.type == "cuda" else 1 << 10


def by_length(
    items: Iterable[Item], length: Callable[[Item], int], budget: int
) -> Iterator[list[Item]]:
    """Batches of items of similar length, the shortest first.

    Padded to its longest item, a batch is of length `budget` at most, or one item.
    """
    batch: list[Item] = []
    for item in sorted(items, key=length):
        if batch and (len(batch) + 1) * length(item) > budget:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def each_batch(
    batches: Sequence[list[Item]], work: Callable[[list[Item]], Made], device: torch.device
) -> Iterator[tuple[list[Item], Made]]:
    """Batches, in order, each with what `work` makes of it.

    On a CPU each thread has a batch of its own: while one prepares or reads answers, the others
    compute, and the matrices of a batch are too small to share.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1 or len(batches) <= 1:
        yield from ((batch, work(batch)) for batch in batches)
        return
    torch.set_num_threads(1)  # holds for threads that begin now, too
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield from zip(batches, pool.map(work, batches), strict=True)
    finally:
        torch.set_num_threads(threads)
