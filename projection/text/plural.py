"""Counts as people read them."""


def counted(count: int, one: str, many: str = "") -> str:
    """`1 sentence`, `2,000 sentences`; `many` is needed where an s does not do."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
