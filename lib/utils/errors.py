"""The one exception type for mistakes a user can mend."""
import re


class SniperError(Exception):
    """A user's mistake or a broken file: one line that names the thing and the mend.

    Entry points print the message and exit with status 1; a traceback is only for bugs. Names in files from elsewhere
    may hold line breaks or what commands a terminal: in the message, white space becomes a space, anything else that
    cannot be printed a question mark. The middle of a word without end is left out.
    """

    def __init__(self, message: str):
        super().__init__(_ENDLESS.sub(r'\1...\2', printable(message)))


_ENDLESS = re.compile(r'(\S{200})\S{200,}(\S{100})')  # paths are rarely as long, values in damaged files are


def printable(text) -> str:
    """Text from elsewhere as one line that any terminal shows as it is."""
    text = str(text)
    if text.isprintable():
        return text
    return ''.join(letter if letter.isprintable() else ' ' if letter.isspace() else '?' for letter in text)
