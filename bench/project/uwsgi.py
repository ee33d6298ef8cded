"""What uWSGI loads; there is no master, so this process is the one that serves."""

import os
import sys

from django.core.wsgi import get_wsgi_application

from bench.servers import announce

application = get_wsgi_application()
sys.stdout = os.fdopen(int(os.environ["BENCH_STDOUT"]), "w")
announce(int(os.environ["BENCH_PORT"]))
