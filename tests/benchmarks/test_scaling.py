"""The scaling model, the bytes of a step, and the fit of their costs."""
import json
import statistics

import numpy as np
import pytest

from benchmarks import network_bytes, scaling_model
from benchmarks.network_bytes import Traffic, traffic
from benchmarks.scaling_model import Costs, efficiency, exchange_seconds, fit_costs, server_keys, slowest, step_seconds
from configs import load_config

SOME = Traffic(10, 600, 400)  # 1000 bytes
COSTS = Costs(0.01, 1e-4, 1e-3, 2e-4, 1e4)


def test_a_step_by_hand():
    """4 workers, 2 servers, 10 arrays of 1000 bytes together, over wires of 10,000 bytes a second.

    At a worker 10 arrays and 1000 bytes, at each server 20 and 2000.
    """
    exchange = 10 * 0.01 + 1000 * 1e-4 + 20 * 1e-3 + 2000 * 2e-4 + 2000 / 1e4
    assert exchange_seconds(SOME, 4, 2, COSTS) == pytest.approx(exchange)
    # the worker's wire is the busiest; one server has three of the ten arrays
    assert exchange_seconds(SOME, 2, 4, COSTS) == pytest.approx(0.1 + 0.1 + 6 * 1e-3 + 500 * 2e-4 + 0.1)
    uneven = SOME._replace(largest=700)  # more than the half that each of two servers would have
    assert exchange_seconds(uneven, 4, 2, COSTS) == pytest.approx(0.1 + 0.1 + 20 * 1e-3 + 2800 * 2e-4 + 2800 / 1e4)
    assert exchange_seconds(uneven, 4, 1, COSTS) == exchange_seconds(SOME, 4, 1, COSTS)
    assert step_seconds(2.0, SOME, 4, 2, COSTS) == pytest.approx(2.0 + exchange)
    assert step_seconds(2.0, SOME, 4, 2, COSTS, overlap=1.0) == pytest.approx(2.0)
    assert step_seconds(0.2, SOME, 4, 2, COSTS, overlap=0.5) == pytest.approx(0.1 + exchange)
    assert efficiency(2.0, SOME, 4, 2, COSTS) == pytest.approx(2 / (2 + exchange))
    assert efficiency(2.0, SOME, 1, 0, COSTS) == 1


def test_every_server_gets_a_part_of_a_split_array():
    some_split = SOME._replace(split=4)
    assert [server_keys(some_split, 2, servers) for servers in (1, 3, 4, 100)] == [20, 12, 12, 10]
    assert server_keys(SOME, 2, 100) == 2


def test_more_workers_are_less_efficient_and_more_servers_help():
    one_server = [efficiency(0.5, SOME, workers, 1, COSTS) for workers in scaling_model.WORKERS[1:]]
    as_many = [efficiency(0.5, SOME, workers, workers, COSTS, spread=0.05) for workers in scaling_model.WORKERS[1:]]
    assert one_server == sorted(one_server, reverse=True) and one_server[-1] < 0.1
    assert as_many == sorted(as_many, reverse=True) and as_many[-1] > 0.4


def test_the_slowest_of_several():
    """Against drawn times."""
    times = np.random.default_rng(0).normal(2.0, 0.2, (4000, 16)).max(axis=1).mean()
    assert slowest(2.0, 16, 0.1) == pytest.approx(times, rel=0.01)
    assert slowest(2.0, 1, 0.1) == slowest(2.0, 16) == 2.0


def test_costs_are_found_again():
    true = Costs(2e-4, 1e-9, 1e-4, 3e-9)
    sets = [traffic([(size, 4)] * count) for size, count in ((1000, 100), (1000, 400), (10 ** 6, 4), (50000, 100))]
    rng = np.random.default_rng(1)
    measured = [(found, workers, 1, exchange_seconds(found, workers, 1, true) * rng.uniform(0.99, 1.01))
                for found in sets for workers in (1, 2, 4)]
    np.testing.assert_allclose(fit_costs(measured)[:4], true[:4], rtol=0.15)
    free = [(found, workers, 1, found.keys * 1e-3) for found, workers, _, _ in measured]
    assert fit_costs(free)[:4] == pytest.approx((1e-3, 0, 0, 0), abs=1e-9)


def test_no_cost_is_negative():
    """Bytes and workers that seem to save time are free, and what is left is fitted without them."""
    small, large = traffic([(1000, 4)] * 100), traffic([(10 ** 6, 4)] * 4)
    measured = [(small, 1, 1, 0.2), (small, 2, 1, 0.19), (large, 1, 1, 0.004), (large, 2, 1, 0.0039)]
    keys_a_second = np.array([found.keys / seconds for found, _, _, seconds in measured])
    best = keys_a_second.sum() / np.square(keys_a_second).sum()
    assert fit_costs(measured)[:4] == pytest.approx((best, 0, 0, 0))


def test_compression():
    """Sixteen gradients a word, each array filled up; what comes back is not compressed."""
    assert traffic([(33, 4), (16, 2)]) == Traffic(2, 164, 164, 264, 0)
    assert traffic([(33, 4), (16, 2)], compressed=True) == Traffic(2, 12 + 4, 164, 12 + 132, 0)
    assert traffic([(10 ** 5, 4), (10, 4)], split=1000)[3:] == (80, 1)
    assert traffic([(10 ** 6, 4), (10, 4)]).largest == 80  # the first is split over all servers


def test_bytes_of_a_network():
    """Arrays that are frozen do not count."""
    config = load_config('configs/faster/sniper_tiny_e2e.yml', ['network.FIXED_PARAMS', '[]'])
    found = network_bytes.of_config(config)
    arrays = network_bytes.trained_arrays(config)
    assert found.sent == found.received == 4 * sum(size for size, _ in arrays) and found.keys == len(arrays)
    assert 4e6 < found.sent < 8e6
    config.network.FIXED_PARAMS, config.network.pretrained = ['rpn'], 'some/prefix'
    fewer = network_bytes.of_config(config)
    assert fewer.keys < found.keys and fewer.sent < found.sent


def test_commands(capsys):
    assert network_bytes.main(['--cfg', 'configs/faster/sniper_tiny_e2e.yml', '--gradient_compression', '2bit']) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[-1])['rows'][0]
    assert row['configuration'] == 'sniper_tiny_e2e' and row['sent'] * 15 < row['received']
    assert scaling_model.main(['--cfg', 'configs/faster/sniper_tiny_e2e.yml', '--compute', '0.5', '--batch', '8',
                               '--link', '1.25e8', '1.25e9']) == 0
    output = capsys.readouterr().out
    rows = json.loads(output.splitlines()[-1])['rows']
    assert len(rows) == 2 * len(scaling_model.WORKERS) and rows[0]['efficiency'] == 1
    slow, fast = (statistics.mean(row['efficiency'] for row in rows if row['link'] == link)
                  for link in (1.25e8, 1.25e9))
    assert 0 < slow < fast < 1


@pytest.mark.parametrize('arguments, message', [
    (['--compute', '-1'], '--compute wants'), (['--compute', '0', '--batch', '0'], '--compute wants'),
    (['--compute', 'nan'], '--compute wants'), (['--batch', '0'], '--batch wants 1 or more'),
    (['--link', '1e9', '0'], '--link wants'), (['--server_key', '-1'], 'costs a key and a byte'),
    (['--spread', '-0.1'], '--spread, want 0 or more'), (['--overlap', '1.5'], '--overlap wants a share'),
    (['--split', '0'], '--split wants 1 or more')])
def test_numbers_that_no_machine_has(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        scaling_model.main(['--cfg', 'x.yml', '--compute', '1', '--batch', '8'] + arguments)
    assert end.value.code == 2 and message in capsys.readouterr().err
