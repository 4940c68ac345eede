"""The parts of the accuracy benchmark that can be wrong without a training: reading logs, comparing with bars."""
import pytest

from benchmarks import accuracy

LOG = """09:00:00 Epoch 1: chips 12, batches 6
09:00:10 Epoch 1/1 batch 2/6  0.1 chips/s  lr 0.01  RPNAcc 0.5  RPNLogLoss 0.7263  RPNL1Loss 0.08  RCNNL1LossCRCNN 0.01
09:00:20 Epoch 1/1 batch 6/6  0.1 chips/s  lr 0.01  RPNAcc 0.6  RPNLogLoss 0.6500  RPNL1Loss 0.09  RCNNL1LossCRCNN 0.03
"""


def test_losses_are_those_of_the_first_and_last_progress_line(tmp_path):
    folder = tmp_path / 'config' / 'set'
    folder.mkdir(parents=True)
    (folder / 'config_2026.log').write_text(LOG)
    assert accuracy.read_losses(str(tmp_path)) == {'RPNLogLoss': (0.7263, 0.65), 'RPNL1Loss': (0.08, 0.09)}


@pytest.mark.parametrize('metrics, holds', [({'AP': 0.6, 'AP50': 0.9}, True), ({'AP': 0.6, 'AP50': 0.84}, False)])
def test_every_bar_must_be_reached(metrics, holds):
    assert accuracy.with_bar(metrics, test_minutes=1, AP50=0.85, AP=0.55)['holds'] is holds


def test_real_data_must_be_named(capsys):
    with pytest.raises(SystemExit):
        accuracy.main(['bccd'])
    assert '--data' in capsys.readouterr().err
