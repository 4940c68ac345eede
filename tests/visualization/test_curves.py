"""How trainings went: metrics of runs read, named and drawn."""
import json
import os

import cv2
import numpy as np
import pytest

from lib.utils.errors import SniperError
from lib.visualization import curves


def write_run(folder, batches=40, metric='AP', lines=()):
    os.makedirs(folder)
    with open(os.path.join(folder, 'SNIPER-metrics-0a1b2c3d.jsonl'), 'w') as stream:
        for step in range(10, batches + 1, 10):
            stream.write(json.dumps({'step': step, 'epoch': 1, 'batch': step, 'batches': batches, 'rate': 0.1 / step,
                                     'training': {'RPNAcc': step / 100, 'Loss$': 1 / step}}) + '\n')
            if metric:
                stream.write(json.dumps({'step': step, 'metric': metric, 'validation': {
                    metric: 0.5 - abs(step - 30) / 100, 'AP75': 0.1}}) + '\n')
        stream.writelines(lines)
    return str(folder)


def test_runs_side_by_side(tmp_path, capsys):
    runs = [write_run(tmp_path / name / 'train', batches) for name, batches in (('first', 40), ('second', 20))]
    target = str(tmp_path / 'both.png')
    assert curves.main(runs + ['--out', target]) == 0
    said = capsys.readouterr().err
    assert 'first: 40 batches, 1 epoch, 4 validations, best AP 0.5000 at batch 30' in said
    assert 'second: 20 batches, 1 epoch, 2 validations, best AP 0.4000 at batch 20' in said
    picture = cv2.imread(target)
    assert picture.shape[0] > 300 and picture.shape[1] > 900
    shares = [(np.abs(picture.astype(int) - colour[::-1]).max(axis=2) < 12).mean()
              for colour in ((0x2a, 0x7f, 0xb8), (0xd1, 0x49, 0x5b))]
    assert min(shares) > 5e-4   # both are in it


def test_what_killed_processes_and_others_leave_is_passed_over(tmp_path):
    run = write_run(tmp_path / 'train', metric='', lines=['[1]\n', '{"step": true}\n', '{"step": 50, "rate": NaN}\n',
                                                          '{"step": 50, "training": {"RPNAcc": "x"}}\n', '{"step": 6'])
    history = curves.read_history(curves.find_file(run), 'run')
    assert history.training['RPNAcc'][0].tolist() == [10, 20, 30, 40] and history.metric == ''
    assert history.rate[0].tolist() == [10, 20, 30, 40] and history.epochs == [40]
    assert 'no validations' in curves.summary(history)


def test_places_of_runs(tmp_path):
    run = write_run(tmp_path / 'my' / 'train')
    file = os.path.join(run, 'SNIPER-metrics-0a1b2c3d.jsonl')
    assert {curves.find_file(place) for place in (run, file, str(tmp_path / 'my'), str(tmp_path))} == {file}
    assert curves.run_names([run], [file]) == ('my/train',)
    write_run(tmp_path / 'other' / 'train')
    with pytest.raises(SniperError, match='there are some in .*my/train, .*other/train'):
        curves.find_file(str(tmp_path))
    with pytest.raises(SniperError, match='give a folder that main_train.py wrote to'):
        curves.find_file(str(tmp_path / 'nowhere'))
    with pytest.raises(SniperError, match='must end in .png'):
        curves.main([run, '--out', str(tmp_path / 'plot.txt')])
    with open(file, 'w') as stream:
        stream.write('nothing\n')
    with pytest.raises(SniperError, match='holds no reading yet'):
        curves.main([run, '--out', str(tmp_path / 'plot.png')])


def test_smoothed():
    assert curves.smoothed(np.array([0.0, 3.0, 6.0, 3.0]), 1).tolist() == [1.5, 3.0, 4.0, 4.5]
