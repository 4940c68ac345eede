"""The schedule of a length, and the table of what is done."""
import json

from benchmarks.pretrained import append, done, schedule, write_table
from configs import load_config


def test_a_schedule_fills_the_minutes():
    config, pace = load_config('configs/faster/sniper_tiny_e2e.yml'), {'seconds': 0.5, 'batches': 100}
    assert schedule(config, pace, 0.5) == {'TRAIN__end_epoch': 1, 'TEST__TEST_EPOCH': 1, 'TRAIN__MAX_BATCHES': 60,
                                           'TRAIN__warmup_step': 6}
    found = schedule(config, pace, 30)
    assert found['TRAIN__end_epoch'] * found['TRAIN__MAX_BATCHES'] == 3600 and found['TRAIN__warmup_step'] == 200
    assert schedule(config, pace, 0.001)['TRAIN__MAX_BATCHES'] == 1


def test_rows_are_kept_and_the_table_has_what_there_is(tmp_path):
    place = str(tmp_path)
    for start, minutes, metric in (('random', 2.0, 0.1), ('pretrained', 2.0, 0.25), ('random', 5.0, 0.3)):
        append(place, {'start': start, 'minutes': minutes, 'batches': 9, 'AP': metric, 'AP50': metric + 0.2})
    assert done(place, 'random', 5) and not done(place, 'pretrained', 5) and not done(str(tmp_path / 'no'), 'random', 5)
    lines = write_table(place)
    assert [cell.strip() for cell in lines[2].split('|')[1:-1]] == ['2', '9', '0.100', '0.250', '0.300', '0.450']
    assert [cell.strip() for cell in lines[3].split('|')[1:-1]] == ['5', '9', '0.300', '', '0.500', '']
    assert (tmp_path / 'table.md').read_text().splitlines() == lines
    with open(tmp_path / 'rows.jsonl') as stream:
        assert json.loads(stream.readline())['benchmark'] == 'pretrained'
