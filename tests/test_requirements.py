"""requirements.txt: every package that is installed has a reader."""
import os
import re
import subprocess

from tests.conftest import ROOT

CUDA_PACKAGES = 'SNIPER-mxnet/python/sniper_mxnet/cuda_libraries.py'
MODULES = {'opencv-python-headless': 'cv2', 'pillow': 'PIL', 'pyyaml': 'yaml', 'cython': 'Cython'}
# Pinned, because what needs them does not pin them.
FOR_OTHERS = {'contourpy': 'matplotlib', 'requests': 'mxnet', 'scipy-openblas32': 'mxnet'}


def test_every_package_is_imported_somewhere():
    with open(os.path.join(ROOT, 'requirements.txt')) as stream:
        lines = [line.split('#')[0].strip() for line in stream]
    names = {re.split(r'[=<>~! ;\[]', line)[0].lower() for line in lines if line}
    assert len(names) > 10
    files = subprocess.run(['git', 'ls-files', '*.py'], cwd=ROOT, stdout=subprocess.PIPE, check=True,
                           text=True).stdout.split()
    imported = set()
    for name in files:
        if os.path.isfile(os.path.join(ROOT, name)):
            with open(os.path.join(ROOT, name), encoding='utf-8') as stream:
                imported.update(re.findall(r'^\s*(?:import|from) (\w+)', stream.read(), re.MULTILINE))
    unread = sorted(name for name in names - set(FOR_OTHERS) if MODULES.get(name, name) not in imported)
    assert unread == []
    assert set(FOR_OTHERS.values()) <= names


def test_the_packages_of_cuda_are_those_that_are_loaded():
    """One more would be downloaded for nothing, one less would be found nowhere."""
    with open(os.path.join(ROOT, 'requirements-cuda11.txt')) as stream:
        pinned = re.findall(r'^([\w-]+)==[\d.]+$', stream.read(), re.MULTILINE)
    with open(os.path.join(ROOT, CUDA_PACKAGES)) as stream:
        loaded = re.findall(r"'(nvidia-[\w-]+-cu11)'", stream.read())
    assert set(pinned) == set(loaded) and len(set(pinned)) == len(pinned) == 10
