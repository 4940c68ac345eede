"""Event files for TensorBoard, by the package tensorboardX, which is optional (requirements-optional.txt)."""
import logging
import math

from lib.train.records import Recorder
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)


class EventFiles(Recorder):
    """Event files of a run in `folder`. step: batches that were trained before: TensorBoard hides later events of files
    that are there. SniperError without the package."""

    def __init__(self, folder: str, step: int = 0):
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise SniperError(f'TRAIN.TENSORBOARD is True, but tensorboardX cannot be loaded ({error}): '
                              '.venv/bin/python -m pip install -r requirements-optional.txt, or leave it out') from None
        try:
            self._writer = SummaryWriter(folder, purge_step=step + 1 if step else None)
        except OSError as error:
            raise SniperError(f'cannot write event files to {folder}: {error.strerror or error}') from None
        logger.info('Event files: %s', folder)

    def reading(self, reading):
        """Scalars of the batches."""
        scalars = [(f'training/{name}', value) for name, value in reading.averages]
        self._add(reading.place.step, scalars + [
            ('speed/chips_per_second', reading.chips_per_second), ('speed/waiting', reading.waiting),
            ('schedule/learning_rate', reading.rate),
            ('schedule/epoch', reading.place.epoch - 1 + reading.place.batch / max(reading.place.batches, 1))])

    def validation(self, validation):
        """Scalars of a validation."""
        self._add(validation.place.step,
                  [(f'validation/{name}', value) for name, value in validation.metrics.items()])

    def close(self):
        """Write what is held."""
        self._writer.close()

    def _add(self, step, scalars):
        for name, value in scalars:
            if math.isfinite(value):
                self._writer.add_scalar(name, value, step)
