"""What the benchmark of devices and workers reads from logs, and its verdict."""
import pytest

from benchmarks import distributed

LINES = '''    TRAIN.BATCH_IMAGES: 4
    gpus: 'cpu,cpu'
Epoch 1/1 batch 10/60  99.0 chips/s (0% waiting for data)  lr 0.1  left 0:10
Epoch 1/1 batch 20/60  16.0 chips/s (0% waiting for data)  lr 0.1  left 0:10
Epoch 1/1 batch 30/60  20.0 chips/s (0% waiting for data, 8% for workers)  lr 0.1  left 0:10
'''


def test_the_fastest_stretch_after_the_first_counts():
    assert distributed.seconds_a_batch(LINES) == pytest.approx(8 / 20.0)


def test_batches_of_workers_are_of_all_of_them():
    log = LINES + 'Epoch 1/1: a batch exchanges 11.448 MB with the servers in 0.0322 s, 6.8% of its 0.4758 s\n'
    assert distributed.exchange_of(log) == (11.448, 0.0322)
    assert distributed.seconds_a_batch(log.replace("'cpu,cpu'", "'cpu'")) == pytest.approx(8 / 20.0)


@pytest.mark.parametrize('measured, counted, holds', [(0.5, 11.5, True), (0.65, 11.5, False), (0.5, 15.0, False),
                                                      (0.35, 11.5, False)])
def test_the_verdict(measured, counted, holds):
    figures = {'cases': {'half': 0.45, '2 workers': measured}, 'exchange_s': 0.05, 'computed_mb': 11.4,
               'counted_mb': counted}
    assert distributed.compare(figures)['holds'] == holds
    assert distributed.compare(figures)['predicted_s'] == pytest.approx(0.5)
