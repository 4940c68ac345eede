"""Folders by what tells them apart."""
import os
from typing import Sequence, Tuple


def short_names(folders: Sequence[str]) -> Tuple[str, ...]:
    """Paths without what is the same at both ends of all; of one folder, or of equal ones, the last part."""
    parts = [os.path.normpath(os.path.abspath(folder)).split(os.sep) for folder in folders]
    if all(of_folder == parts[0] for of_folder in parts):
        return tuple(of_folder[-1] for of_folder in parts)
    for end, kept in ((0, slice(1, None)), (-1, slice(None, -1))):
        while all(of_folder[1:] for of_folder in parts) and len({of_folder[end] for of_folder in parts}) == 1:
            parts = [of_folder[kept] for of_folder in parts]
    return tuple('/'.join(of_folder) for of_folder in parts)
