"""The order in which the original went through COCO images: that of a Python 2 dictionary keyed by image id.

Its proposal files hold one entry an image in this order and no ids, so reading them needs it.
Source: reference/pipeline.md 3.1 (CPython 2.7, Objects/dictobject.c).
"""

SMALLEST_TABLE = 8
LARGE = 50000        # keys from which the table only doubles
PERTURB_SHIFT = 5


def python2_dict_order(keys):
    """Distinct integers from 0 in the order of insertion -> list of them in the order of iteration.

    ValueError for other keys: their order is not known.
    """
    keys = list(keys)
    if any(type(key) is not int or not 0 <= key < 2 ** 63 for key in keys) or len(set(keys)) != len(keys):
        raise ValueError('the order is known for distinct integers from 0 only')
    table, used = [None] * SMALLEST_TABLE, 0
    for key in keys:
        _insert(table, key)
        used += 1
        if used * 3 >= len(table) * 2:
            wanted, size = used * (2 if used > LARGE else 4), SMALLEST_TABLE
            while size <= wanted:
                size *= 2
            old, table = table, [None] * size
            for present in old:
                if present is not None:
                    _insert(table, present)
    return [key for key in table if key is not None]


def _insert(table, key):
    mask = len(table) - 1
    slot = perturb = key
    while table[slot & mask] is not None:
        slot = 5 * slot + perturb + 1
        perturb >>= PERTURB_SHIFT
    table[slot & mask] = key
