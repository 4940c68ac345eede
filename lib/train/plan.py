"""When a training ends and when it keeps checkpoints, by epochs or by iterations, and how it says where it is.

An iteration is one update of the weights, by a batch of all devices and workers; `Epoch.step` counts them, with those
that TRAIN.LOSS_SCALING 'dynamic' leaves out.
"""
from typing import Any, Mapping, NamedTuple, Tuple

from lib.train.loop import Epoch
from lib.weights.paths import ITERATION, epoch_tag


class Plan(NamedTuple):
    """end_epoch, end_iteration: of TRAIN, the first counts where the second is 0. snapshots: iterations between
    checkpoints, 0 for one after every epoch."""
    end_epoch: int
    end_iteration: int = 0
    snapshots: int = 0

    @classmethod
    def from_config(cls, config, snapshots: int = 0) -> 'Plan':
        """snapshots: as worker 0 has it, since all workers take part in a checkpoint."""
        return cls(config.TRAIN.end_epoch, config.TRAIN.end_iteration, snapshots)

    def ended(self, epoch: Epoch) -> bool:
        """Whether all is trained."""
        return self.reached(epoch.number + epoch.over, epoch.step)

    def reached(self, epochs: int, step: int) -> bool:
        """Whether all is trained after so many whole epochs and batches."""
        return step >= self.end_iteration if self.end_iteration else epochs >= self.end_epoch

    def rests(self, epoch: Epoch) -> bool:
        """Whether a checkpoint is due on the way."""
        return bool(self.snapshots) and epoch.step % self.snapshots == 0 and not self.ended(epoch)

    def last_tag(self) -> str:
        """Of the checkpoint where all is trained."""
        return iteration_tag(self.end_iteration) if self.end_iteration else epoch_tag(self.end_epoch)

    def left(self, epoch: Epoch, done: int) -> int:
        """Batches that are left after `done` of an epoch, if all epochs are as long as this one."""
        if self.end_iteration:
            return max(self.end_iteration - epoch.before - done, 0)
        return (self.end_epoch - epoch.number) * epoch.batches - done

    # In words

    def epoch_text(self, epoch: Epoch) -> str:
        """'Epoch 2/7'; nobody says how many there are where iterations count."""
        return f'Epoch {epoch.number + 1}' + f'/{self.end_epoch}' * (not self.end_iteration)

    def text(self, epoch: Epoch, done: int) -> str:
        """'Epoch 2/7 batch 10/25', or 'Iteration 1,200/21,000 (epoch 2, batch 10/25)'."""
        if not self.end_iteration:
            return f'{self.epoch_text(epoch)} batch {done}/{epoch.batches}'
        return (f'Iteration {epoch.before + done:,}/{self.end_iteration:,} (epoch {epoch.number + 1}, batch '
                f'{done}/{epoch.batches})')

    def bar(self, epoch: Epoch, done: int) -> Tuple[str, int, int]:
        """(Head of a progress bar, what is done, of how many)."""
        if self.end_iteration:
            return 'Iteration', epoch.before + done, self.end_iteration
        return self.epoch_text(epoch), done, epoch.batches

    def where(self, place: Mapping[str, Any]) -> str:
        """'epoch 2, batch 10', or 'iteration 1,200'. place: `epoch` from 0, `batch`, `step`."""
        return f'iteration {place["step"]:,}' if self.end_iteration else \
            f'epoch {place["epoch"] + 1}, batch {place["batch"]}'

    def end(self) -> str:
        """'epoch 7', or 'iteration 21,000'."""
        return f'iteration {self.end_iteration:,}' if self.end_iteration else f'epoch {self.end_epoch}'

    def nothing_to_do(self) -> str:
        """That all is trained, and what trains on."""
        length, key = (f'{self.end_iteration:,} iterations', 'end_iteration') if self.end_iteration else \
            (f'{self.end_epoch} epochs', 'end_epoch')
        return f'All {length} are trained already: nothing to do (a higher TRAIN.{key} trains on)'


def iteration_tag(step: int) -> str:
    """'iter1000', tag of the checkpoint after so many iterations."""
    return f'{ITERATION}{step}'
