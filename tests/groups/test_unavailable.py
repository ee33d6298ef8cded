"""Redis is away or wrong in many ways: publishers hear of it in time, the log says it once."""

import socket
import time
from contextlib import ExitStack

import pytest

from dwebsocket.exceptions import GroupUnavailable
from dwebsocket.groups.redis.client import PATIENCE

from ..servers.process import find_free_port, wait_until
from ..servers.redis import BACKEND, tls_arguments
from .peers import BUSY, TIMEOUT, check_order

pytestmark = pytest.mark.usefixtures("usual_patience")

SEND_TIMEOUT = 1.5


class Fault:
    """What is wrong, and how it is put right. `says` is in the exception and in the log."""

    def __init__(self, location, says, cure=None, options=None):
        self.setting = {"BACKEND": BACKEND, "LOCATION": location, "OPTIONS": options or {}}
        self.says = says
        self.cure = cure


def down_at_the_start(make_redis, certificates, stack):
    redis = make_redis()
    return Fault(redis.location, "No such file", redis.start)


def killed(make_redis, certificates, stack):
    redis = make_redis("--port", str(port := find_free_port()))
    redis.start()
    redis.kill()
    return Fault(f"redis://127.0.0.1:{port}", "Connection refused", redis.start)


def wrong_password(make_redis, certificates, stack):
    redis = make_redis(password="right")
    redis.start()
    return Fault(
        f"unix://:wrong@{redis.path}",
        "invalid username-password pair",
        lambda: redis.command("CONFIG", "SET", "requirepass", "wrong"),
    )


def no_password(make_redis, certificates, stack):
    redis = make_redis(password="secret")
    redis.start()
    return Fault(
        redis.location, "[Aa]uth", lambda: redis.command("CONFIG", "SET", "requirepass", "")
    )


def silent(make_redis, certificates, stack):
    redis = make_redis()
    redis.start()
    redis.pause()
    return Fault(redis.location, "Timeout", redis.resume)


def no_host(make_redis, certificates, stack):
    """Nobody answers the SYN: of two connections, the one is not accepted and fills the queue."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    address = listener.getsockname()
    stack.enter_context(socket.create_connection(address, 5))
    return Fault(f"redis://127.0.0.1:{address[1]}", "Timeout")


def tls_at_a_plain_port(make_redis, certificates, stack):
    """Redis waits for the end of the line."""
    redis = make_redis("--port", str(port := find_free_port()))
    redis.start()
    return Fault(f"rediss://127.0.0.1:{port}", "Timeout")


def unknown_certificate(make_redis, certificates, stack):
    redis = make_redis(*tls_arguments(certificates, port := find_free_port()))
    redis.start()
    return Fault(f"rediss://127.0.0.1:{port}", "certificate verify failed")


def sentinels_away(make_redis, certificates, stack):
    ports = [find_free_port() for _ in range(3)]
    return Fault(
        [f"redis://127.0.0.1:{port}" for port in ports],
        "No master found for 'mymaster'; not every Sentinel answers",
        options={"SENTINEL": "mymaster"},
    )


def cluster_away(make_redis, certificates, stack):
    redis = make_redis(
        *("--port", str(port := find_free_port()), "--cluster-enabled", "yes"),
        *("--cluster-port", str(find_free_port())),
    )

    def start():
        redis.start()
        redis.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")

    location = f"redis://127.0.0.1:{port}"
    return Fault(location, "Connection refused", start, options={"CLUSTER": True})


@pytest.fixture(
    params=[
        down_at_the_start,
        killed,
        wrong_password,
        no_password,
        silent,
        no_host,
        tls_at_a_plain_port,
        unknown_certificate,
        sentinels_away,
        cluster_away,
    ],
    ids=lambda function: function.__name__,
)
def fault(request, make_redis, certificates):
    with ExitStack() as stack:
        yield request.param(make_redis, certificates, stack)


def test_it_is_told_in_time_and_logged_once(fault, make_peer, caplog, monkeypatch):
    caplog.set_level("INFO", "dwebsocket.groups")
    here, there = (make_peer(fault.setting, WEBSOCKET_SEND_TIMEOUT=SEND_TIMEOUT) for _ in range(2))
    member = there.join("a")
    begun = time.monotonic()
    while time.monotonic() < begun + 1:  # the listener tries again meanwhile
        asked = time.monotonic()
        with pytest.raises(GroupUnavailable, match=fault.says) as raised:
            here.publish("a", "never")
        assert time.monotonic() - asked < PATIENCE + BUSY
        assert "perhaps only the members in this process have got it" in str(raised.value)
        assert "object at" not in str(raised.value)
    wait_until(lambda: len(caplog.records) >= 2, "each process says so")
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert [record.exc_info for record in caplog.records] == [None] * 2
    if fault.cure is None:
        return
    # Redis has time to come back to a busy machine: it is not to be away once more.
    monkeypatch.setattr("dwebsocket.groups.redis.client.PATIENCE", TIMEOUT)
    fault.cure()
    wait_until(lambda: is_heard(here, member), "the other process hears again", timeout=30)
    wait_until(lambda: len(caplog.records) >= 4, "each says that, soon after")
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2 + ["INFO"] * 2


def test_one_outage_of_those_who_publish_and_listen(make_redis, make_peer, caplog):
    """Neither of them says what the other one has said, or that all is well before it is."""
    caplog.set_level("INFO", "dwebsocket.groups")
    redis = make_redis()
    redis.start()
    here, there = make_peer(redis.setting), make_peer(redis.setting)
    member = here.join("a")
    check_order(there, member, count=1)
    there.close()
    here.publish("a", "hello")
    redis.kill()
    for _ in range(20):
        with pytest.raises(GroupUnavailable):
            here.publish("a", "never")
        time.sleep(0.02)  # in which the listener tries, too
    redis.start()
    wait_until(lambda: caplog.records[-1].levelname == "INFO", "Redis is back", timeout=10)
    here.publish("a", "hello")
    check_order(make_peer(redis.setting), member, count=1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def is_heard(here, member):
    try:
        here.publish("a", "again")
        return member.next(timeout=0.1) == "again"
    except (GroupUnavailable, TimeoutError):
        return False
