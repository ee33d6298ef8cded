"""`python -m tests.groups.forking gevent|eventlet SETTING`: a process that forks while it listens.

Says "forked", takes 100 messages of the group "a", and says what the child has got of them.
"""

from . import greenlets  # noqa: F401, I001  # patches before anything else is imported

import json
import os
import select
import sys

from django.conf import settings

from dwebsocket.groups import current

from .peers import Member

COUNT = 100


def main():
    settings.configure(
        WEBSOCKET_GROUPS=json.loads(sys.argv[2]),
        WEBSOCKET_RUN_DIR=os.environ["DWEBSOCKET_TEST_RUN_DIR"],
    )
    member = Member()
    current.get_members().add("a", member)
    current.get_backend()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        select.select([reader], [], [])  # lets other greenlets work until the parent has done
        print("child:", member.count(), flush=True)
        os._exit(0)
    print("forked", flush=True)
    assert [member.next() for _ in range(COUNT)] == [str(number) for number in range(COUNT)]
    print("all of them", flush=True)
    os.write(writer, b".")
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
