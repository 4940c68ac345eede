"""The configuration of a run: `load_config(path, overrides)`; keys and defaults in configs/defaults.py."""
from configs.checks import check_supported, validate
from configs.errors import ConfigError
from configs.loader import config_name, load_config, plain_value

__all__ = ['ConfigError', 'check_supported', 'config_name', 'load_config', 'plain_value', 'validate']
