"""Sites of several processes, each request of which goes to another one than that before."""

import tempfile
from contextlib import ExitStack, contextmanager
from itertools import cycle


class Turns:
    """For an EngineClient: each of its connections goes to the next server.

    Attributes:
        settings: what those of the site are, beside the project's.
    """

    def __init__(self, servers, settings):
        self.servers = servers
        self.settings = settings
        self.next_server = cycle(servers).__next__


@contextmanager
def run_site(start_server, row, settings, count=3, *, shares=True):
    """Servers that meet in one run directory, if they share one."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="dw-"))
        settings = {**settings, **({"WEBSOCKET_RUN_DIR": directory} if shares else {})}
        servers = []
        for _ in range(count):
            servers.append(start_server(row, settings))
            stack.callback(servers[-1].kill)
        yield Turns(servers, settings)


def stop(site):
    """End all of it in order, and see that nothing went wrong."""
    for server in site.servers:
        server.stop()
        assert not server.log.find_faults(), server.log.text()
