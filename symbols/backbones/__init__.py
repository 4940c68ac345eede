"""Images -> features, one network family a module; called with (data, TrunkOptions), returns {name: Feature}."""
