"""How a distributed training scales: a model of the time of a step, and its table for 1 to 64 workers.

    python -m benchmarks.scaling_model --compute 0.35 --batch 8 --cfg configs/faster/sniper_tiny_e2e.yml --link 1.25e9

A synchronous step of W workers and S servers takes

    compute + exchange - overlap * min(compute, exchange)

compute     seconds of forward, backward and update on one worker. Workers are alike, each on hardware of its own, and
            the slowest counts: with a relative `spread` of their times, the mean of the largest of W normal variables
exchange    keys * worker_key                   a request and its answer for every array, at the worker
            + bytes * worker_byte               copying and packing, at the worker
            + W * server_keys * server_key      requests and answers, at the busiest server
            + W * share * server_byte           copying and the sum, at the busiest server
            + max(bytes, W * share) / link      the busiest wire; sent and received bytes are added, not overlapped
server_keys arrays of a worker that the busiest server has a part of: all that are split, those of a million numbers and
            more, and 1/S of the others, rounded up
share       bytes of a worker that go to the busiest server: 1/S of all, and no less than the largest array that is not
            split
overlap     share of the shorter of the two that the longer hides. 0 is the worst case, and the default

`bytes` is what a worker sends and receives a step (benchmarks/network_bytes.py). The costs a key and a byte are
properties of ps-lite and a machine: benchmarks/gradient_sync.py measures them.
"""
import argparse
import itertools
import math
import operator
import statistics
from typing import NamedTuple

from benchmarks import timing

WORKERS = (1, 2, 4, 8, 16, 32, 64)
GIGABIT = 1e9 / 8


class Costs(NamedTuple):
    """What an exchange costs, in seconds."""

    worker_key: float
    worker_byte: float
    server_key: float
    server_byte: float
    link: float = float('inf')  # bytes a second of a machine's wire; loopback: its copies are in the costs a byte


def exchange_seconds(traffic, workers, servers, costs):
    """Seconds of the exchange of a step; traffic: network_bytes.Traffic."""
    terms = cost_terms(traffic, workers, servers)
    busiest = max(traffic.total, server_bytes(traffic, workers, servers))
    return sum(map(operator.mul, terms, costs)) + busiest / costs.link


def cost_terms(traffic, workers, servers):
    """What the first four of Costs are multiplied with."""
    return (traffic.keys, traffic.total, server_keys(traffic, workers, servers),
            server_bytes(traffic, workers, servers))


def server_keys(traffic, workers, servers):
    """Arrays that go to the busiest server, of all workers; those that are not split MXNet deals out in turn."""
    return workers * (traffic.split + math.ceil((traffic.keys - traffic.split) / servers))


def server_bytes(traffic, workers, servers):
    """Bytes both ways of the busiest server."""
    return workers * max(traffic.total / servers, traffic.largest)


def slowest(compute, workers, spread=0.0):
    """Expected seconds of the slowest of `workers`, whose times have mean `compute` and relative deviation `spread`.

    Blom's approximation of the largest of W normal variables.
    """
    if workers == 1 or not spread:
        return compute
    return compute * (1 + spread * statistics.NormalDist().inv_cdf((workers - 0.375) / (workers + 0.25)))


def step_seconds(compute, traffic, workers, servers, costs, overlap=0.0, spread=0.0):
    """Seconds of a step. A single worker without servers (servers 0) exchanges nothing."""
    computing = slowest(compute, workers, spread)
    exchange = exchange_seconds(traffic, workers, servers, costs) if servers else 0.0
    return computing + exchange - overlap * min(computing, exchange)


def efficiency(compute, traffic, workers, servers, costs, overlap=0.0, spread=0.0):
    """Speed of `workers` workers, as a share of as many times the speed of one without servers."""
    return compute / step_seconds(compute, traffic, workers, servers, costs, overlap, spread)


def fit_costs(measured):
    """[(Traffic, workers, servers, seconds)] -> Costs of a machine's loopback, by least squares of relative errors.

    No cost is negative: of all choices of costs that are not 0 and whose fit has no negative one, the best counts.
    """
    import numpy as np
    rows = np.array([cost_terms(*row[:3]) for row in measured], float) / np.array([row[3:] for row in measured])
    best, least = None, math.inf
    for count in range(1, rows.shape[1] + 1):
        for used in map(list, itertools.combinations(range(rows.shape[1]), count)):
            values = np.zeros(rows.shape[1])
            values[used] = np.linalg.lstsq(rows[:, used], np.ones(len(rows)), rcond=None)[0]
            error = np.square(rows @ values - 1).sum()
            if (values >= 0).all() and error < least:
                best, least = values, error
    return Costs(*best.tolist())


def main(argv=None):
    """Print the table -> exit status 0."""
    from benchmarks.network_bytes import SPLIT, of_config
    from configs import load_config
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cfg', required=True, metavar='FILE')
    parser.add_argument('--compute', type=float, required=True, metavar='SECONDS', help='a step of one worker')
    parser.add_argument('--batch', type=int, required=True, metavar='CHIPS', help='chips of a step of one worker')
    parser.add_argument('--link', type=float, nargs='+', default=[GIGABIT, 10 * GIGABIT, 100 * GIGABIT],
                        metavar='BYTES/S', help='speed of the wire (default: 1, 10 and 100 Gbit/s)')
    for name in ('worker_key', 'worker_byte', 'server_key', 'server_byte'):
        parser.add_argument('--' + name, type=float, default=getattr(MEASURED, name), metavar='SECONDS',
                            help='(%(default).3g)')
    parser.add_argument('--overlap', type=float, default=0.0, metavar='SHARE')
    parser.add_argument('--spread', type=float, default=0.0, metavar='SHARE')
    parser.add_argument('--split', type=int, default=SPLIT, metavar='NUMBERS',
                        help="MXNET_KVSTORE_BIGARRAY_BOUND, MXNet's (%(default)s)")
    parser.add_argument('--gradient_compression', choices=('none', '2bit'), default='none')
    args = parser.parse_args(argv)
    _check(parser, args)
    traffic = of_config(load_config(args.cfg), args.gradient_compression == '2bit', args.split)
    rows, figures = [], []
    for workers in WORKERS:
        row = [workers]
        for link in args.link:
            costs = Costs(args.worker_key, args.worker_byte, args.server_key, args.server_byte, link)
            servers = 0 if workers == 1 else workers  # as many as workers, one a machine
            seconds = step_seconds(args.compute, traffic, workers, servers, costs, args.overlap, args.spread)
            share = args.compute / seconds
            row += [f'{workers * args.batch / seconds:.1f}', f'{100 * share:.0f} %']
            figures.append({'workers': workers, 'link': link, 'seconds': seconds, 'efficiency': share})
        rows.append(row)
    print(f'{args.cfg}: {traffic.total / 1e6:.2f} MB a step and worker in {traffic.keys} arrays, {args.compute:.4g} s '
          'of computing')
    header = ['workers'] + [text % (link / GIGABIT) for link in args.link
                            for text in ('chips/s, %g Gbit/s', 'efficiency, %g')]
    print('\n'.join(timing.table(header, rows)))
    print(timing.json_line('scaling_model', traffic=traffic._asdict(), rows=figures))
    return 0


def _check(parser, args):
    """End with argparse's error for numbers that no machine has; written so that NaN is refused too."""
    costs = (args.worker_key, args.worker_byte, args.server_key, args.server_byte, args.spread)
    for wrong, text in (
            (not 0 < args.compute < math.inf, '--compute wants seconds, more than 0'),
            (args.batch < 1, '--batch wants 1 or more'),
            (not all(link > 0 for link in args.link), '--link wants bytes a second, more than 0'),
            (not all(0 <= cost < math.inf for cost in costs), 'costs a key and a byte, and --spread, want 0 or more'),
            (not 0 <= args.overlap <= 1, '--overlap wants a share from 0 to 1'),
            (args.split < 1, '--split wants 1 or more')):
        if wrong:
            parser.error(text)


# benchmarks/gradient_sync.py on 2 cores of an Intel Xeon (Sapphire Rapids), loopback; see docs/distributed.md
MEASURED = Costs(worker_key=1.0e-6, worker_byte=7e-12, server_key=2.04e-5, server_byte=2.93e-10)

if __name__ == '__main__':
    from lib.cli import run
    run(main)
