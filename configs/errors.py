"""The error of every mistake in a configuration."""
from lib.utils.errors import SniperError


class ConfigError(SniperError):
    """A configuration file or a --set pair is wrong: names the key, the place and the mend."""
