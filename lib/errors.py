"""The one exception type for mistakes a user can mend."""


class SniperError(Exception):
    """A user's mistake or a broken file: one line that names the thing and the mend.

    Entry points print the message and exit with status 1; a traceback is only for bugs.
    """
