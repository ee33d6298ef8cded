"""What the page's script says and does, word for word, before a server that the test plays."""

import base64
import json

import pytest

from ..servers.process import wait_until
from .driving import MAKE, RS, opening

#: What it says to the console is told to `events`.
HEAR_CONSOLE = "() => { console.error = (text) => events.push(['console.error', text]); }"


class TestWebSocket:
    def test_messages_go_both_ways(self, driver):
        driver.make(protocols=["a", "b"])
        asked = driver.take()
        expected = {"page": "1", "EIO": "4", "transport": "websocket", "resume": "1"}
        assert asked.query == expected
        assert asked.headers["sec-websocket-protocol"] == "a, b"
        websocket = asked.accept("b")
        websocket.send(opening())
        assert driver.event() == ["open", False, "websocket"]
        assert driver.run("[socket.readyState, socket.protocol]") == [1, "b"]
        websocket.send("4Grüße")
        websocket.send(b"\x00\xff")
        assert driver.event() == ["message", "Grüße"]
        assert driver.event() == ["message", [0, 255]]
        driver.run(
            """() => {
              const bytes = new Uint8Array([1, 2, 3]);
              socket.send("a" + "\\u{1F600}");
              socket.send(bytes.subarray(1));
              socket.send(bytes.buffer);
              bytes.fill(9);
              socket.send(new Blob(["blob"]));
              socket.send(17);
            }"""
        )
        received = [websocket.receive() for _ in range(5)]
        assert received == ["4a\U0001f600", b"\x02\x03", b"\x01\x02\x03", b"blob", "417"]
        websocket.send("25")
        assert websocket.receive() == "32"

    def test_unknown_packets_are_passed_over(self, driver):
        websocket = driver.make().open()
        for packet in ("6", "7{}", "x", "5"):
            websocket.send(packet)
        websocket.send("4after")
        assert driver.event()[0] == "open"
        assert driver.event() == ["message", "after"]

    def test_the_page_closes(self, driver):
        websocket = driver.make().open()
        assert driver.event()[0] == "open"
        driver.run("() => { socket.send('last'); socket.close(4001, 'bye'); }")
        assert websocket.receive() == "4last"
        assert json.loads(websocket.receive()[1:]) == {"code": 4001, "reason": "bye"}
        assert websocket.receive() == 4001
        assert driver.run("socket.readyState") == 2
        websocket.close(4001, "bye")
        websocket.end()
        assert driver.event() == ["close", 4001, "bye", True, None]
        assert driver.run("socket.readyState") == 3

    def test_a_server_that_does_not_answer_the_close(self, driver):
        websocket = driver.make(openTimeout=2500).open()
        assert driver.event()[0] == "open"
        driver.run("socket.close()")
        assert [websocket.receive(), websocket.receive()] == ["1", 1005]
        assert driver.event() == ["error"]
        assert driver.event() == ["close", 1006, "", False, None]

    @pytest.mark.parametrize("code", [1000, 1008, 1009, 4001])
    def test_the_server_closes_for_good(self, driver, code):
        websocket = driver.make().open()
        websocket.send(f'1{{"code":{code},"reason":"why"}}')
        assert driver.event()[0] == "open"
        assert driver.event() == ["close", code, "why", True, None]

    @pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 3000])
    def test_the_server_closes_and_a_new_session_is_begun(self, driver, code):
        websocket = driver.make().open()
        driver.run("socket.send('never confirmed')")
        assert websocket.receive() == "4never confirmed"
        websocket.send(f'1{{"code":{code},"reason":""}}')
        assert driver.event()[0] == "open"
        assert driver.event() == ["connecting", 1, False]
        asked = driver.take()
        assert "sid" not in asked.query
        websocket = asked.accept()
        driver.run("() => { socket.onopen = () => socket.send('hello'); socket.send('waited'); }")
        websocket.send(opening("second"))
        # What may have arrived is not sent again; what the page says first comes first.
        assert [websocket.receive(), websocket.receive()] == ["4hello", "4waited"]

    def test_what_a_close_frame_alone_says(self, driver):
        websocket = driver.make().open()
        websocket.close(1001)
        websocket.end()
        assert driver.take().query["sid"] == "first"  # a carrier that was lost

    def test_a_message_that_is_too_big_is_not_sent_for_ever(self, driver):
        websocket = driver.make().open()
        websocket.close(1009, "too big")
        websocket.end()
        assert driver.event()[0] == "open"
        assert driver.event() == ["close", 1009, "too big", True, None]

    def test_the_page_decides_whether_to_come_back(self, driver):
        script = MAKE.replace("options);", "{ retry: ({ code }) => code === 4001 });")
        driver.run(script, [driver.peer.path, [], {}])
        websocket = driver.open()
        websocket.send('1{"code":4001,"reason":""}')
        websocket = driver.open("second")
        websocket.send('1{"code":1011,"reason":""}')
        for expected in ("open", "connecting", "open", "close"):
            assert driver.event()[0] == expected


class TestComingBack:
    def test_both_sides_say_what_they_have(self, driver):
        websocket = driver.make().open()
        assert driver.event()[0] == "open"
        for number in range(3):
            websocket.send(f"4{number}")
            assert driver.event() == ["message", str(number)]
        driver.run("for (const name of 'abcd') socket.send(name)")
        assert [websocket.receive() for _ in range(4)] == ["4a", "4b", "4c", "4d"]
        websocket.send("21")  # a is confirmed
        assert websocket.receive() == "33"
        websocket.cut()
        assert driver.event() == ["connecting", 1, False]
        asked = driver.take()
        assert (asked.query["sid"], asked.query["received"]) == ("first", "3")
        driver.run("socket.send('e')")  # while it is away
        assert driver.run("socket.bufferedAmount") == 1
        websocket = asked.accept()
        websocket.send(opening(received=2))
        assert driver.event() == ["open", True, "websocket"]
        assert [websocket.receive() for _ in range(3)] == ["4c", "4d", "4e"]
        websocket.send("43")
        assert driver.event() == ["message", "3"]
        websocket.send("25")
        assert websocket.receive() == "34"

    def test_the_session_is_gone(self, driver):
        websocket = driver.make().open()
        driver.run("socket.send('lost')")
        assert websocket.receive() == "4lost"
        websocket.send("4one")
        websocket.cut()
        asked = driver.take()
        driver.run("socket.send('kept')")
        websocket = asked.accept()
        websocket.send(opening("second"))
        assert websocket.receive() == "4kept"
        websocket.send("20")
        assert websocket.receive() == "30"
        for expected in (
            ["open", False, "websocket"],
            ["message", "one"],
            ["connecting", 1, False],
            ["open", False, "websocket"],
        ):
            assert driver.event() == expected

    def test_a_site_that_resumes_nothing(self, driver):
        websocket = driver.make().open(resume=0)
        driver.run("socket.send('lost')")
        assert websocket.receive() == "4lost"
        websocket.send("2")
        assert websocket.receive() == "3"
        websocket.cut()
        assert "sid" not in driver.take().query

    def test_attempts_are_delayed_more_and_more(self, driver):
        driver.make(minDelay=1, maxDelay=4)
        for _ in range(4):
            driver.take().cut()
            driver.take(websocket=False).answer("", 503)
        told = [driver.event() for _ in range(7)]
        assert [attempt for _, attempt, _ in told] == [1, 2, 2, 3, 3, 4, 4][: len(told)]
        assert [delayed for _, _, delayed in told] == [False, True, False, True, False, True, False]

    def test_online_ends_the_wait(self, driver):
        driver.make(minDelay=10**8, maxDelay=10**8)
        for _ in range(2):
            driver.take().cut()
            driver.take(websocket=False).answer("", 503)
        told = [driver.event() for _ in range(2)]
        assert told[-1] == ["connecting", 2, True]
        driver.run("dispatchEvent(new Event('online'))")
        driver.open()
        assert driver.event() == ["connecting", 3, False]
        assert driver.event()[0] == "open"

    def test_silence_is_a_break(self, driver):
        websocket = driver.make().open(pingInterval=50, pingTimeout=50)
        assert driver.event()[0] == "open"
        assert driver.event() == ["connecting", 1, False]
        assert driver.take().query["sid"] == "first"
        assert websocket.receive() in (1005, None)

    def test_more_than_a_mebibyte_does_not_wait(self, driver):
        driver.make()
        driver.take()
        script = """() => {
          const errors = [];
          for (const size of [2 ** 20, 1]) {
            try { socket.send("x".repeat(size)); } catch (error) { errors.push(error.name); }
          }
          return [errors, socket.bufferedAmount];
        }"""
        assert driver.run(script) == [["QuotaExceededError"], 2**20]

    def test_the_page_drops_it(self, driver):
        websocket = driver.make().open()
        assert driver.event()[0] == "open"
        driver.run("socket.reconnect()")
        assert driver.event() == ["connecting", 1, False]
        driver.open(received=0)
        assert driver.event() == ["open", True, "websocket"]
        assert websocket.receive() == 1005

    def test_close_while_away_ends_the_session(self, driver):
        websocket = driver.make(minDelay=10**8, maxDelay=10**8).open()
        assert driver.event()[0] == "open"
        driver.run("socket.reconnect(1e8)")
        assert driver.event() == ["connecting", 1, True]
        driver.run("socket.close()")
        asked = driver.take(websocket=False)
        assert (asked.method, asked.query["sid"], asked.body) == ("POST", "first", "1")
        assert driver.event() == ["error"]
        assert driver.event() == ["close", 1006, "", False, None]
        assert websocket.receive() == 1005

    def test_a_page_that_is_left_says_so(self, driver):
        websocket = driver.make().open()
        assert driver.event()[0] == "open"
        driver.page.goto("about:blank")  # which may keep it, to go back to it
        said = websocket.receive()
        # Firefox may be faster than its page.
        assert said == 1001 or json.loads(said[1:]) == {"code": 1001, "reason": ""}


class TestPolling:
    def test_messages_go_both_ways(self, polling, driver):
        asked = driver.take(websocket=False)
        expected = {"page": "1", "EIO": "4", "transport": "polling", "resume": "1"}
        assert asked.query == expected
        asked.answer(RS.join([opening(), "4with it"]))
        assert driver.event() == ["open", False, "polling"]
        assert driver.event() == ["message", "with it"]
        poll = driver.take(websocket=False)
        assert {**poll.query, **expected} == poll.query
        assert (poll.query["sid"], poll.query["after"]) == ("first", "1")
        binary = base64.b64encode(b"\x00\xff").decode()
        separated = base64.b64encode(f"a{RS}b".encode()).decode()
        poll.answer(RS.join([f"b{binary}", f"t{separated}", "4ü"]))
        told = [driver.event() for _ in range(3)]
        assert told == [["message", [0, 255]], ["message", f"a{RS}b"], ["message", "ü"]]
        poll = driver.take(websocket=False)
        assert poll.query["after"] == "4"

        driver.run("socket.send('first')")
        post = driver.take(websocket=False)
        assert (post.method, post.body, post.query["sent"]) == ("POST", "4first", "0")
        driver.run(
            "for (const data of ['ü', new Uint8Array([0, 255]), 'a\\x1eb']) socket.send(data)"
        )
        assert driver.run("socket.bufferedAmount") == 5 + 2 + 2 + 3
        post.answer()
        post = driver.take(websocket=False)
        assert post.query["sent"] == "1"
        assert post.body.split(RS) == ["4ü", f"b{binary}", f"t{separated}"]
        post.answer()
        poll.answer("22")
        posts = [driver.take(websocket=False) for _ in range(2)]
        (pong,) = [asked for asked in posts if asked.method == "POST"]
        assert (pong.body, "sent" in pong.query) == ("34", False)

    def test_a_post_takes_what_the_server_does(self, polling, driver):
        poll = driver.open_polling(maxPayload=200)
        driver.run("for (const name of 'abcd') socket.send(name.repeat(30))")
        messages = []
        while len(messages) < 4:
            post = driver.take(websocket=False)
            assert post.query["sent"] == str(len(messages))
            assert len(post.body) <= 200
            messages += post.body.split(RS)
            post.answer()
        assert messages == [f"4{name * 30}" for name in "abcd"]
        poll.answer("6")

    def test_a_poll_that_breaks_is_a_break(self, polling, driver):
        poll = driver.open_polling()
        driver.run("socket.send('maybe')")
        driver.take(websocket=False).cut()
        assert driver.event()[0] == "open"
        assert driver.event() == ["connecting", 1, False]
        poll.cut()
        asked = driver.take(websocket=False)
        assert (asked.query["sid"], asked.query["received"]) == ("first", "0")
        assert "after" not in asked.query
        asked.answer(opening(received=0))
        assert driver.event() == ["open", True, "polling"]
        asked = [driver.take(websocket=False) for _ in range(2)]
        (post,) = [each for each in asked if each.method == "POST"]
        assert (post.body, post.query["sent"]) == ("4maybe", "0")

    def test_the_page_closes(self, polling, driver):
        driver.open_polling()
        assert driver.event()[0] == "open"
        driver.run("() => { socket.send('last'); socket.close(4001, 'bye'); }")
        post = driver.take(websocket=False)
        if RS not in post.body:
            post.answer()
            post = driver.take(websocket=False)
        assert json.loads(post.body.split(RS)[-1][1:]) == {"code": 4001, "reason": "bye"}
        post.answer()
        assert driver.event() == ["close", 4001, "bye", True, None]

    def test_a_body_that_is_too_large_ends_it(self, polling, driver):
        driver.open_polling()
        driver.run("socket.send('x')")
        driver.take(websocket=False).answer("", 413)
        assert driver.event()[0] == "open"
        assert driver.event()[0] == "error"
        assert driver.event() == ["close", 1009, "HTTP 413", False, None]


class TestRefusals:
    @pytest.mark.parametrize("status", [400, 403, 404])
    def test_a_refusal_is_final(self, driver, status):
        driver.make()
        driver.take().answer("", status)
        driver.take(websocket=False).answer("secret", status)
        assert driver.event() == ["error"]
        assert driver.event() == ["close", 1006, f"HTTP {status}", False, status]

    def test_under_debug_the_page_is_told_why(self, driver):
        driver.make()
        driver.run(HEAR_CONSOLE)
        driver.take().answer("", 403)
        driver.take(websocket=False).answer("no such origin", 403, X_DWebSocket_Debug="1")
        assert driver.event() == ["console.error", "HTTP 403: no such origin"]
        assert driver.event() == ["error"]
        assert driver.event() == ["close", 1006, "no such origin", False, 403]

    @pytest.mark.parametrize("status", [408, 429, 500, 503])
    def test_what_may_pass_is_tried_again(self, driver, status):
        driver.make(minDelay=1)
        driver.take().answer("", status)
        driver.take(websocket=False).answer("", status, Retry_After="0")
        driver.open()
        assert driver.event()[0] == "connecting"

    def test_the_server_says_when(self, driver):
        driver.make(minDelay=1, maxDelay=1)
        driver.take().cut()
        driver.run(
            """() => {
              socket.onconnecting = ({ delay }) => events.push(Math.round(delay / 1000));
            }"""
        )
        driver.take(websocket=False).answer("", 503, Retry_After="100")
        assert driver.event() == 100

    def test_a_redirection_to_the_login_is_a_refusal(self, driver):
        driver.make()
        driver.take().answer("", 302, Location="/")
        driver.take(websocket=False).answer("", 302, Location="/")
        assert driver.event() == ["error"]
        assert driver.event() == ["close", 1006, "Redirected", False, 302]

    def test_a_view_that_has_no_polling(self, driver):
        driver.make(minDelay=1, maxDelay=1)
        unknown = json.dumps({"code": 0, "message": "Transport unknown"})
        driver.take().cut()
        driver.take(websocket=False).answer(unknown, 400)
        driver.take().cut()
        driver.open()  # and no poll between

    def test_another_page_in_its_place_is_not_taken_for_it(self, driver):
        driver.make(minDelay=1)
        driver.take().answer("<html>")
        driver.take(websocket=False).answer("<html>Welcome to this hotel")
        driver.open()
        assert driver.event()[0] == "connecting"


class TestFallingBack:
    def test_a_websocket_that_stays_silent(self, driver):
        driver.make(openTimeout=1000)  # a poll has four times as long
        silent = driver.take().accept()
        driver.open_polling()
        assert driver.event() == ["open", False, "polling"]
        assert silent.receive() in (1005, None)
        # The tab remembers it.
        driver.run("socket.onclose = null; socket.close()")
        driver.take(websocket=False).answer()
        driver.make()
        driver.open_polling("second")

    def test_two_breaks_in_a_minute(self, driver):
        websocket = driver.make().open()
        assert driver.event() == ["open", False, "websocket"]
        websocket.cut()
        assert driver.event() == ["connecting", 1, False]
        websocket = driver.open(received=0)
        assert driver.event() == ["open", True, "websocket"]
        websocket.cut()
        asked = driver.take(websocket=False)
        assert (asked.query["sid"], asked.query["received"]) == ("first", "0")
        asked.answer(opening(received=0))
        told = [driver.event() for _ in range(3)]
        assert told[1:] == [["connecting", 2, False], ["open", True, "polling"]]

    def test_it_changes_to_a_websocket_that_comes_through(self, driver):
        driver.make(minDelay=1)
        driver.take().answer("", 400)
        poll, asked = driver.open_probed()
        assert driver.event() == ["open", False, "polling"]
        assert asked.query["sid"] == "first"
        assert "received" not in asked.query
        probe = asked.accept()
        assert probe.receive() == "2probe"
        probe.send("3probe")
        driver.run("socket.send('in between')")
        poll.answer(RS.join(["4last poll", "6"]))
        # By a POST or by the WebSocket: it depends on what the page hears first.
        bodies = []
        while True:
            wait_until(lambda: probe.has_more() or not driver.peer.asked.empty(), "it goes on", 20)
            if probe.has_more():
                break
            asked = driver.take(websocket=False)
            bodies.append(asked.body)
            asked.answer("ok" if asked.method == "POST" else "6")
        assert probe.receive() == "51"
        assert "4in between" in bodies or probe.receive() == "4in between"
        probe.send("4first frame")
        assert driver.event() == ["message", "last poll"]
        assert driver.event() == ["message", "first frame"]
        assert driver.run("socket.transport") == "websocket"

    def test_a_probe_that_fails_costs_nothing(self, driver):
        driver.make(minDelay=1, upgradeInterval=50)
        driver.take().answer("", 400)
        poll, probe = driver.open_probed()
        probe.cut()
        driver.take().cut()
        poll.answer("4still here")
        assert driver.event() == ["open", False, "polling"]
        assert driver.event() == ["message", "still here"]
        assert driver.run("Object.keys(sessionStorage).length") == 1


class TestInterface:
    @pytest.mark.parametrize(
        ("script", "error"),
        [
            ("new DWebSocket('ftp://x/')", "SyntaxError"),
            ("new DWebSocket('/a#b')", "SyntaxError"),
            ("new DWebSocket('http://[')", "SyntaxError"),
            ("new DWebSocket('/', ['a', 'a'])", "SyntaxError"),
            ("new DWebSocket('/', 'a b')", "SyntaxError"),
            ("new DWebSocket('/').close(1001)", "InvalidAccessError"),
            ("new DWebSocket('/').close(5000)", "InvalidAccessError"),
            ("new DWebSocket('/').close(1000, 'ü'.repeat(62))", "SyntaxError"),
            ("{ const s = new DWebSocket('/'); s.close(); s.send(''); }", "InvalidStateError"),
        ],
    )
    def test_mistakes_are_told_as_the_standard_does(self, page, script, error):
        caught = f"() => {{ try {{ {script} }} catch (error) {{ return error.name; }} }}"
        assert page.evaluate(caught) == error

    def test_addresses(self, page):
        script = """() => {
          const urls = ["a?b=1", "/x/", "https://example.com/x", "ws://example.com"];
          return urls.map((url) => {
            const socket = new DWebSocket(url);
            socket.close();
            return socket.url;
          });
        }"""
        host = page.evaluate("location.host")
        assert page.evaluate(script) == [
            f"ws://{host}/a?b=1",
            f"ws://{host}/x/",
            "wss://example.com/x",
            "ws://example.com/",
        ]

    def test_close_before_it_has_opened(self, driver):
        driver.make()
        driver.run("socket.close()")
        assert driver.event() == ["error"]
        assert driver.event() == ["close", 1006, "", False, None]

    def test_it_has_what_a_websocket_has(self, page):
        """But for what is of the browser's alone."""
        script = """() => {
          const socket = new DWebSocket("/");
          socket.close();
          const names = Object.getOwnPropertyNames(WebSocket.prototype);
          return names.filter((name) => !(name in socket));
        }"""
        assert page.evaluate(script) == []
        assert page.evaluate("[DWebSocket.OPEN, DWebSocket.prototype.CLOSED]") == [1, 3]

    def test_handlers_and_binary_types(self, driver):
        websocket = driver.make().open()
        assert driver.event()[0] == "open"
        driver.run(
            """() => {
              socket.binaryType = "blob";
              socket.binaryType = "nonsense";
              socket.onmessage = 5;
              const { onmessage } = socket;
              socket.addEventListener("message", async ({ data, origin }) => {
                events.push([onmessage, await data.text(), origin]);
              });
            }"""
        )
        websocket.send(b"blob")
        assert driver.event() == [None, "blob", driver.peer.url.replace("http", "ws")]

    def test_the_servers_errors_are_told_in_the_console(self, driver):
        websocket = driver.make().open()
        said = {"level": "error", "message": "ValueError", "traceback": "line 5"}
        assert driver.event()[0] == "open"
        driver.run(HEAR_CONSOLE)
        websocket.send(f"8{json.dumps(said)}")
        assert driver.event() == ["console.error", "ValueError\nline 5"]
