"""The shipped small network at a size of pictures that takes milliseconds."""
import os

import pytest

from lib.fewshot.detector import load_network
from tests.conftest import ROOT
from tests.fewshot.pictures import write_classes

CONFIG = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')
SMALL = ['gpus', 'cpu', 'TEST.SHIPPED_MODEL', os.path.join(ROOT, 'data', 'models', 'sniper_tiny'), 'TEST.SCALES',
         '[1x]', 'TEST.VALID_RANGES', '[[-1, -1]]', 'TEST.BATCH_IMAGES', '[8]', 'TEST.RPN_POST_NMS_TOP_N', '20']


@pytest.fixture(scope='session')
def network(tmp_path_factory):
    """FeatureNetwork of sniper_tiny."""
    with_network = load_network(CONFIG, SMALL + ['output_path', str(tmp_path_factory.mktemp('nothing'))])
    yield with_network
    with_network.close()


@pytest.fixture(scope='session')
def shapes(tmp_path_factory):
    """Folder of three classes of four pictures."""
    return write_classes(tmp_path_factory.mktemp('shapes'), ['box', 'disc', 'ring'], 4)
