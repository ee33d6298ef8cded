"""A client of Engine.IO gets much by several polls: those in Python take 16 packets at once."""

import json

from dwebsocket import require_websocket

POLL = "/?EIO=4&transport=polling"


def poll(site, address):
    client = site.connect()
    client.send_request(address, websocket=False)
    response = client.read_response()
    client.hang_up()
    return response.status, response.body.decode().split("\x1e")


@require_websocket
def count(request):
    for number in range(40):
        request.websocket.send(str(number))


def test_what_waits_and_the_end_behind_it(site):
    site.serve(count)
    status, [opening] = poll(site, POLL)
    assert status == 200
    address = f"{POLL}&sid={json.loads(opening[1:])['sid']}"
    packets, sizes = [], []
    while packets[-1:] != ["1"]:
        status, some = poll(site, address)
        assert status == 200
        packets += some
        sizes.append(len(some))
    assert packets == [*(f"4{number}" for number in range(40)), "1"]
    assert max(sizes) <= 16
    assert poll(site, address)[0] == 400


def test_one_of_ours_gets_all_at_once(site):
    site.serve(count)
    _, [opening] = poll(site, f"{POLL}&resume=1")
    address = f"{POLL}&resume=1&sid={json.loads(opening[1:])['sid']}"
    packets = []
    while not packets or packets[-1][0] != "1":
        status, some = poll(site, f"{address}&after={len(packets)}")
        assert status == 200
        packets += some
    assert [one for one in packets if one[0] == "4"] == [f"4{number}" for number in range(40)]
