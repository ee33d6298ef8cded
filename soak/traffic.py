"""The load: connections that come and go, and messages on connections that stay."""

from soak.wire import BINARY, CLOSE, COMPRESSED, FIN, TEXT, Connection, deflate, frame

#: Connections at a time.
WAVE = 8

#: Threads of a server that has a pool: room for a wave while the last one is still ending.
THREADS = 2 * WAVE

GREETING = ("Good morning, server. " * 100).encode()  # long enough to be compressed
PLAIN_GREETING = frame(FIN | TEXT, GREETING)
COMPRESSED_GREETING = frame(FIN | COMPRESSED | TEXT, deflate(GREETING))
CLOSE_1000 = (1000).to_bytes(2, "big")

#: A batch of messages, and its echo: short texts, larger binaries, one text in three pieces.
LINE, PAGE = b"a line of text, as they are sent in chats. " * 3, bytes(range(256)) * 64
BATCH_SIZE = 100
BATCH = (
    frame(FIN | TEXT, LINE) * (BATCH_SIZE - 3)
    + frame(FIN | BINARY, PAGE) * 2
    + frame(TEXT, LINE)
    + frame(0, LINE)
    + frame(FIN, LINE)
)
ECHO = (
    frame(FIN | TEXT, LINE, masked=False) * (BATCH_SIZE - 3)
    + frame(FIN | BINARY, PAGE, masked=False) * 2
    + frame(FIN | TEXT, LINE * 3, masked=False)
)


def open_wave(port: int, *, compression: bool) -> list[Connection]:
    """Connect all, then wait for all. Every second one may compress."""
    wave = [Connection(port, compression=compression and i % 2 == 0) for i in range(WAVE)]
    for connection in wave:
        connection.finish_handshake()
    return wave


def close_wave(wave: list[Connection]) -> None:
    for connection in wave:
        connection.send(frame(FIN | CLOSE, CLOSE_1000))
    for connection in wave:
        connection.expect_message(CLOSE, CLOSE_1000)
        connection.expect_end()
        connection.abandon()


def fill_pools(port: int) -> None:
    """As many connections at once as the server with a pool of threads has of them."""
    waves = [open_wave(port, compression=True) for _ in range(THREADS // WAVE)]
    for wave in waves:
        close_wave(wave)


def run_cycles(port: int) -> int:
    """One wave of connect, echo, close; the last one leaves without a Close. How many it were."""
    wave = open_wave(port, compression=True)
    for connection in wave:
        connection.send(COMPRESSED_GREETING if connection.compresses else PLAIN_GREETING)
    for connection in wave:
        connection.expect_message(TEXT, GREETING)
    wave.pop().abandon()
    close_wave(wave)
    return WAVE


def run_batches(wave: list[Connection]) -> int:
    """One batch of messages on each connection of a wave; how many messages it were."""
    for connection in wave:
        connection.send(BATCH)
    for connection in wave:
        connection.expect(ECHO)
    return WAVE * BATCH_SIZE
