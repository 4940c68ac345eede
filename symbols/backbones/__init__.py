"""Images -> features: one network family a module; each is called with (data, TrunkOptions) and returns {name: Feature}."""
