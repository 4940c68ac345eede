"""The program of ps-lite's scheduler and servers, run by agent.py as a module, with DMLC_ROLE set.

MXNet runs the loop of a server in the middle of its own import; an optimiser that arrives there cannot be unpickled, as
its modules import MXNet, which is not whole yet. So the role is hidden until everything is imported.
"""
import os


def main() -> None:
    """Serve until all workers have ended."""
    role = os.environ.pop('DMLC_ROLE')
    from sniper_mxnet import mx
    os.environ['DMLC_ROLE'] = role
    mx.kvstore.kvstore_server._init_kvstore_server_module()


if __name__ == '__main__':
    main()
