"""Lists the plugins of the boundary tests."""

pytest_plugins = ["boundary.fix_host", "boundary.fix_runs", "boundary.fix_sockets", "boundary.fix_tls"]
