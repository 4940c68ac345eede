"""Numbers with the words that follow them."""


def counted(number: int, one: str, many: str) -> str:
    """'1 picture is' or '1,200 pictures are': a number and the words for one thing or for several."""
    return f'{number:,} {one if number == 1 else many}'
