"""A shell's descriptor beside the WebSocket's, in one select: what old code reached into
`websocket.protocol.sock` for.
"""

import os
import select

from dwebsocket import require_websocket

from ..glue.site import TIMEOUT


def test_a_shell_and_a_browser(site):
    shell_reads, browser_writes = os.pipe()

    @require_websocket
    def view(request):
        websocket = request.websocket
        websocket.send("ready")
        while not websocket.closed:
            if not websocket.has_messages():
                readable, _, _ = select.select([websocket, shell_reads], [], [], TIMEOUT)
                if shell_reads in readable:
                    websocket.send(f"shell: {os.read(shell_reads, 100).decode()}")
                    continue
            message = websocket.read()
            if message:
                websocket.send(f"browser: {message}")

    with site.serve(view).websocket("/") as websocket:
        assert websocket.receive() == "ready"
        os.write(browser_writes, b"$ ")
        assert websocket.receive() == "shell: $ "
        for key in "ls":
            websocket.send(key)
        assert [websocket.receive(), websocket.receive()] == ["browser: l", "browser: s"]
        os.write(browser_writes, b"files")
        assert websocket.receive() == "shell: files"
    os.close(shell_reads)
    os.close(browser_writes)
