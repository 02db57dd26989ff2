"""Traditional Chinese characters as simplified ones, one for one, so that offsets stay."""

from functools import lru_cache

from opencc import OpenCC

_table = OpenCC("t2s")


def simplified(text: str) -> str:
    """Replace every traditional character of `text` by its simplified form, one by one."""
    return "".join(map(_simplified, text))


@lru_cache(maxsize=1 << 16)
def _simplified(character: str) -> str:
    # OpenCC cannot look up half a surrogate pair, which JSON can contain.
    if character.isascii() or "\ud800" <= character <= "\udfff":
        return character
    found = str(_table.convert(character))
    return found if len(found) == len(character) else character
