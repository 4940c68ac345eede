"""Lines that are said once, although the sets of one folder are opened one by one."""
import functools
import logging

logger = logging.getLogger(__name__)


@functools.lru_cache(maxsize=64)
def say_once(text: str) -> None:
    """Log it, unless it was said."""
    logger.info('%s', text)
