"""Batches of texts of about one length, and the threads that work on them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Made = TypeVar("Made")


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
