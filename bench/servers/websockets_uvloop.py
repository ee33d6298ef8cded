"""websockets on uvloop, without compression, as its documentation advises for speed."""

import uvloop
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from bench.servers import BACKLOG, announce


async def echo(websocket):
    try:
        async for message in websocket:
            await websocket.send(message)
    except ConnectionClosed:
        pass  # the load hangs up without a Close frame: not worth a traceback


async def main():
    async with serve(echo, "127.0.0.1", 0, compression=None, backlog=BACKLOG) as server:
        announce(server.sockets[0].getsockname()[1])
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
