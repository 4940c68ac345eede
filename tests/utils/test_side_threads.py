"""Threads ahead of and behind another."""
import threading

import pytest

from lib.utils.side_threads import Ahead, Behind


def test_ahead_keeps_the_order_and_its_limit():
    made = []

    def source():
        for number in range(20):
            made.append(number)
            yield number
    items = Ahead(source(), 3)
    for number in range(20):
        assert next(items) == number
        assert len(made) <= number + 1 + 3 + 1, 'three wait, one is in the hands of the thread'
    assert list(items) == []
    items.close()


def test_an_item_beyond_the_limit_passes_alone():
    assert list(Ahead([5, 5, 1], 3, weigh=lambda item: item)) == [5, 5, 1]


def test_failures_come_out_where_they_belong():
    def source():
        yield 1
        raise ValueError('broken')
    items = Ahead(source(), 3)
    assert next(items) == 1
    with pytest.raises(ValueError, match='broken'):
        next(items)
    done = []

    def work(item):
        if item == 2:
            raise ValueError('full')
        done.append(item)
    behind = Behind(work, 100)
    with pytest.raises(ValueError, match='full'):
        for item in range(5):
            behind.put(item)
        behind.close()
    behind.close()
    assert done == [0, 1]


def test_the_newest_item_replaces_those_that_nobody_took():
    all_made = threading.Event()

    def source():
        yield from range(5)
        all_made.set()
    items = Ahead(source(), 10, newest=True)
    assert all_made.wait(10)
    assert list(items) == [4]


def test_close_does_not_wait_for_a_source_without_end():
    def source():
        while True:
            yield 1
    items = Ahead(source(), 2)
    assert next(items) == 1
    items.close()
    assert list(items) == []
