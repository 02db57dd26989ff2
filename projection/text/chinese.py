"""Traditional Chinese characters as simplified ones, one for one, so that offsets stay."""

from functools import lru_cache

from opencc import OpenCC

_table = OpenCC("t2s")


def simplified(text: str) -> str:
    """`text` with every traditional character replaced by its simplified form.

    The length stays: characters are looked up one by one (OpenCC's table), not as phrases.
    """
    return "".join(map(_simplified, text))


@lru_cache(maxsize=1 << 16)
def _simplified(character: str) -> str:
    # Half a surrogate pair, which JSON can spell, is no character that could be looked up.
    if character.isascii() or "\ud800" <= character <= "\udfff":
        return character
    found = str(_table.convert(character))
    return found if len(found) == len(character) else character
