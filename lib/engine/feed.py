"""Batches of NumPy arrays -> the DataBatch that a Module takes, without waiting for the network."""
from sniper_mxnet import mx


class BatchFeeder:
    """Copies batches into two sets of preallocated arrays in turn.

    A Module's input arrays are in use until the backward pass of the batch has ended; writing to them would stop this
    thread. Two sets between let batch k+1 be copied in while batch k is being computed.

    provide_data, provide_label: lists of (name, shape) in the order in which the Module was bound.
    """

    def __init__(self, provide_data, provide_label):
        self.names = [name for name, _ in provide_data], [name for name, _ in provide_label]
        self.sets = [_allocate(provide_data, provide_label) for _ in range(2)]

    def __call__(self, batch):
        """Batch of the iterator -> mx.io.DataBatch that stays valid until the call after the next one."""
        self.sets.reverse()
        target = self.sets[0]
        for names, arrays, values in zip(self.names, (target.data, target.label), (batch.data, batch.label)):
            for name, array in zip(names, arrays):
                array[:] = values[name]
        return target


def _allocate(provide_data, provide_label):
    data, label = ([mx.nd.empty(shape) for _, shape in provide] for provide in (provide_data, provide_label))
    return mx.io.DataBatch(data=data, label=label)
