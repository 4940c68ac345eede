"""Which format the data in a folder has, which sets are there, and which of them to train and to test on by name."""
from typing import NamedTuple, Tuple

from lib.dataset.base import shortened
from lib.dataset.formats.auto import find_format
from lib.dataset.set_choice import choose_sets
from lib.utils.errors import SniperError


class ImageSets(NamedTuple):
    """What a folder holds. format: for dataset.dataset; names: all sets with annotations; training: to train on;
    test: to test on, one of the training sets where there is no other."""

    format: str
    names: Tuple[str, ...]
    training: Tuple[str, ...]
    test: str

    @property
    def shared(self) -> bool:
        """Whether the test set is trained on too, for there is no other."""
        return self.test in self.training

    @property
    def text(self) -> str:
        """Format and chosen sets, for a person."""
        return f'{self.format}, training on {" + ".join(self.training)}, testing on {self.test}'


def find_image_sets(folder: str) -> ImageSets:
    """SniperError, with what was looked for, if the folder is in none of the formats (lib.dataset.formats.auto), or has
    no name."""
    if not folder:
        raise SniperError("the folder of the data is called '': is a variable on the command line empty?")
    form = find_format(folder)
    names = tuple(form.sets_in(folder))
    if not names:
        raise SniperError(f'{folder} ({form.name}) has no set with annotations')
    return ImageSets(form.name, names, *choose_sets(names))


def checked_sets(found: ImageSets, training: str, test: str) -> ImageSets:
    """The same with sets that a person named, training sets joined by '+'; '' leaves what was found."""
    chosen = tuple(name.strip() for name in training.split('+')) if training else found.training
    unknown = [name for name in (*chosen, test or found.test) if name not in found.names]
    if unknown:
        raise SniperError(f'there is no annotated set {unknown[0]!r}; sets: {shortened(found.names, 15)}')
    if training and not test and found.test in chosen:
        rest = [name for name in found.names if name not in chosen]
        test = rest[0] if rest else chosen[-1]
    elif test and not training:
        chosen = tuple(name for name in chosen if name != test) or (test,)
    return found._replace(training=chosen, test=test or found.test)
