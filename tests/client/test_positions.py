"""What the page's script says and does with positions of groups, packets of type 7."""

import json

import pytest

from .driving import RS, opening

LISTEN = """() => {
  socket.onopen = ({ resumed, recovered }) => events.push(["open", resumed, recovered]);
  socket.onlost = () => events.push(["lost"]);
}"""


def tell(**told):
    return f"7{json.dumps(told)}"


@pytest.fixture
def listening(driver):
    driver.make()
    driver.run(LISTEN)
    return driver


def next_event(driver):
    """The next one that does not tell of an attempt: of these there may be several."""
    while (event := driver.event())[0] == "connecting":
        pass
    return event


def open_first(driver):
    websocket = driver.open()
    assert driver.event() == ["open", False, False]  # a new page loads what there is
    return websocket


def end(driver, websocket):
    """The session is gone; the next request."""
    websocket.send('1{"code":1012,"reason":""}')
    assert driver.event()[0] == "connecting"
    return driver.take()


def test_the_positions_of_what_the_page_has_got(listening):
    websocket = open_first(listening)
    websocket.send(tell(at={"a": "x:1", "b": "y:7"}))
    websocket.send(tell(next={"a": "x:2"}))
    websocket.send("4two")
    websocket.send("4of no group")
    websocket.send(tell(next={"b": "y:8"}))  # and its message does not come
    assert [listening.event()[1] for _ in range(2)] == ["two", "of no group"]
    websocket.send("22")
    assert websocket.receive() == "35"  # they are counted
    assert end(listening, websocket).query["positions"] == "a,x:2,b,y:7"


def test_a_group_that_is_left_is_not_brought(listening):
    websocket = open_first(listening)
    websocket.send(tell(at={"a": "x:1", "b": "y:7"}))
    websocket.send(tell(at={"a": None}))
    asked = end(listening, websocket)
    assert asked.query["positions"] == "b,y:7"
    websocket = asked.accept()
    websocket.send(opening("second"))
    assert listening.event() == ["open", False, False]
    websocket.send(tell(at={"b": None}))
    assert "positions" not in end(listening, websocket).query


@pytest.mark.parametrize("recovered", [True, False])
def test_the_page_hears_first_whether_something_is_missing(listening, recovered):
    websocket = open_first(listening)
    websocket.send(tell(at={"a": "x:1"}))
    asked = end(listening, websocket)
    listening.run("socket.send('waits')")
    websocket = asked.accept()
    websocket.send(opening("second", recovered=None))
    websocket.send(tell(at={"a": "x:1"}))
    websocket.send(tell(next={"a": "x:2"}))
    websocket.send("4missed")
    websocket.send("20")
    assert websocket.receive() == "33"
    assert listening.run("[events.length, socket.readyState]") == [0, 0]
    websocket.send(tell(recovered=recovered))
    assert listening.event() == ["open", False, recovered]
    assert listening.event() == ["message", "missed"]
    assert websocket.receive() == "4waits"
    assert end(listening, websocket).query["positions"] == "a,x:2"


def test_a_break_before_it_hears(listening):
    websocket = open_first(listening)
    websocket.send(tell(at={"a": "x:1"}))
    websocket = end(listening, websocket).accept()
    websocket.send(opening("second", recovered=None))
    websocket.send("4early")
    websocket.send("20")
    assert websocket.receive() == "31"
    websocket.cut()
    assert listening.event()[0] == "connecting"
    asked = listening.take()
    assert (asked.query["sid"], asked.query["received"]) == ("second", "1")
    websocket = asked.accept()
    websocket.send(opening("second", received=0))
    websocket.send(tell(recovered=True))
    assert next_event(listening) == ["open", False, True]
    assert listening.event() == ["message", "early"]


def test_a_session_that_ends_before_it_hears(listening):
    """What has come of it was not given to the page: it brings what it brought before."""
    websocket = open_first(listening)
    websocket.send(tell(at={"a": "x:1"}))
    websocket = end(listening, websocket).accept()
    websocket.send(opening("second", recovered=None))
    websocket.send(tell(next={"a": "x:2"}))
    websocket.send("4nobody gets it")
    asked = end(listening, websocket)
    assert asked.query["positions"] == "a,x:1"
    websocket = asked.accept()
    websocket.send(opening("third"))
    websocket.send("4other")
    assert next_event(listening) == ["open", False, False]
    assert listening.event() == ["message", "other"]


def test_the_same_session_has_recovered(listening):
    websocket = open_first(listening)
    websocket.send(tell(next={"a": "x:1"}))
    websocket.send("20")
    assert websocket.receive() == "31"
    websocket.cut()
    assert listening.event()[0] == "connecting"
    websocket = listening.take().accept()
    websocket.send(opening(received=0))
    assert next_event(listening) == ["open", True, True]
    websocket.send("4its message")
    assert listening.event() == ["message", "its message"]
    assert end(listening, websocket).query["positions"] == "a,x:1"


def test_what_is_lost_meanwhile(listening):
    websocket = open_first(listening)
    websocket.send(tell(at={"a": "y:4"}, gap=True))
    assert listening.event() == ["lost"]
    assert end(listening, websocket).query["positions"] == "a,y:4"


def test_too_many_are_not_brought(listening):
    websocket = open_first(listening)
    websocket.send(tell(at={str(number): "x:1" for number in range(51)}))
    assert "positions" not in end(listening, websocket).query


def test_over_polls(driver):
    driver.make(transports=["polling"])
    driver.run(LISTEN)
    poll = driver.open_polling()
    poll.answer(RS.join([tell(next={"a": "x:1"}), "4one"]))
    assert driver.event()[0] == "open"
    assert driver.event() == ["message", "one"]
    poll = driver.take(websocket=False)
    assert poll.query["after"] == "2"
    poll.answer('1{"code":1012,"reason":""}')
    assert driver.event()[0] == "connecting"
    assert driver.take(websocket=False).query["positions"] == "a,x:1"
