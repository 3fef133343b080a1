"""Reads configuration files with oslo.config, one path a line; answers with their lock paths."""

import sys

from oslo_concurrency import lockutils
from oslo_config import cfg


def lock_path(file):
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.StrOpt("state_path"), cfg.StrOpt("base")])
    conf.register_opts([cfg.StrOpt("state")], group="paths")
    conf(["--config-file", file], project="service", default_config_dirs=[])
    return lockutils.get_lock_path(conf) or "none"


for line in sys.stdin:
    try:
        answer = lock_path(line.rstrip("\n"))
    except (Exception, RecursionError) as error:
        answer = f"error {type(error).__name__}: {error}".replace("\n", " ")
    print(answer, flush=True)
