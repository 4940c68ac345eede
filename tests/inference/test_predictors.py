"""The predictors of a test whose graphs depend on the scale."""
import os
from types import SimpleNamespace

from configs import load_config
from lib.inference.predictors import ScalePredictors, graph_tasks
from tests.conftest import ROOT


def test_scales_of_one_graph_share_a_predictor():
    """An image pyramid of SSH: two networks for four scales, made when they are asked for."""
    tasks = graph_tasks(load_config(os.path.join(ROOT, 'configs', 'ssh', 'ssh_vgg16_pyramid.yml')))
    assert len(tasks) == 4 and len(set(tasks)) == 2
    made, closed = [], []

    def maker(task):
        def make():
            made.append(task)
            return SimpleNamespace(devices=2, predict=lambda batch: task, close=lambda: closed.append(task))
        return make

    makers = {task: maker(task) for task in tasks}
    predictors = ScalePredictors([makers[task] for task in tasks])
    batches = [SimpleNamespace(windows=[SimpleNamespace(level=level)]) for level in range(4)]
    assert [predictors.predict(batch) for batch in batches] == tasks
    assert predictors.devices == 2 and len(made) == 2
    predictors.close()
    assert set(closed) == set(tasks) and len(closed) == 2
