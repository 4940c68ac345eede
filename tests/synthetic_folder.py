"""A folder of few synthetic scenes, made once a module."""


def synthetic_folder(tmp_path_factory, train: int, val: int = 1) -> str:
    """Path of a COCO data set with `train` and `val` scenes, and one to test on."""
    from lib.dataset import synthetic
    folder = str(tmp_path_factory.mktemp('data') / f'scenes_{train}_{val}')
    synthetic.main(['--out', folder, '--train', str(train), '--val', str(val), '--test-dev', '1', '--processes', '1'])
    return folder
