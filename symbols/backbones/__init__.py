"""Images -> features, one network family a module; called with (data, TrunkOptions), returns {name: Feature}.

To add one: a module here, a detector on it in symbols/detectors (a `build()`), and its name in symbols/registry.py.
"""
