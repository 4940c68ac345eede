"""Tasks by the name that detectors are registered with (symbols.registry). A new family adds its line here."""
import logging
from typing import Dict, Type

from configs.checks import check_supported
from configs.scales import INPUT
from configs.schema import ConfigError
from lib.tasks.base import Task
from lib.tasks.faster_rcnn import FasterRcnnTask, FastRcnnTask
from lib.tasks.m2det import M2DetTask
from lib.tasks.openimages import OpenImagesTask
from lib.tasks.proposals import ProposalTask
from lib.tasks.rfcn3k import Rfcn3kTask
from lib.tasks.ssh import SshTask
from lib.utils.errors import SniperError
from symbols.registry import detector_entry

logger = logging.getLogger(__name__)
TASKS: Dict[str, Type[Task]] = {task.name: task for task in (FasterRcnnTask, FastRcnnTask, M2DetTask, SshTask,
                                                         Rfcn3kTask, OpenImagesTask, ProposalTask)}


def register_task(name: str, task: Type[Task]) -> None:
    """Add a task for detectors that are registered with its name. ValueError if there is another one of that name."""
    if TASKS.get(name, task) is not task:
        raise ValueError(f'there is a task {name!r} already')
    TASKS[name] = task


def get_task(config, purpose: str = 'train') -> Task:
    """Task of the detector `config.symbol` for a run: 'train', 'test' or 'demo'.

    SniperError for an unknown detector, or one whose task nobody has registered.
    """
    name = detector_entry(config.symbol).task
    if name not in TASKS:
        raise SniperError(f'the detector {config.symbol!r} is of the task {name!r}, which is not registered; known: '
                          f'{", ".join(sorted(TASKS))}')
    return TASKS[name].for_purpose(config, purpose)


def check_config(config, purpose: str) -> None:
    """ConfigError if keys of `config` contradict each other, those of all runs or those of the detector's family.

    purpose: 'train', 'test' or 'demo'; what the purpose does not use is not looked at.
    """
    check_supported(config, purpose)
    task = get_task(config, purpose)
    if purpose != 'train':
        _check_test_passes(config, task)
    task.check(purpose)


def _check_test_passes(config, task):
    """No entry 'input' where networks take images of any size; nothing that mirrored images have not."""
    scales, test = config.TEST.SCALES, config.TEST
    for name in ('WITH_MASK', 'EXTRACT_PROPOSALS') if test.FLIP else ():
        if test[name]:
            raise ConfigError(f'TEST.FLIP is True, but TEST.{name} takes images as they are: leave one of them out')
    if not task.exact_sizes and INPUT in scales:
        raise ConfigError(f'TEST.SCALES is {scales}, but {config.symbol} takes images of any size: say at which, by '
                          'factors such as 2x, or pixels of the long side such as 256px')


def log_remarks(config, purpose: str) -> None:
    """Warn of what a configuration says that has no effect, see Task.remarks."""
    for line in get_task(config, purpose).remarks(purpose):
        logger.warning('%s', line)
