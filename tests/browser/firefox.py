"""Firefox, driven by WebDriver BiDi, which it speaks itself: as much of it as the tests need."""

import json
import re
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path

from websockets.sync.client import connect

from ..servers.log import ServerLog

TIMEOUT = 60  # seconds, to start on a busy machine
LISTENING = r"WebDriver BiDi listening on (ws://\S+)"
NAMES = ["firefox-esr", "firefox"]
#: Firefox says much to its maker, and asks for more; not from here.
PREFERENCES = """
user_pref("app.normandy.enabled", false);
user_pref("app.update.auto", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
"""


def find_firefox():
    return next(filter(None, map(shutil.which, NAMES)), None)


class Firefox:
    """A browser with one page."""

    def __init__(self, path):
        self._numbers = count(1)
        self._profile = tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True)
        Path(self._profile.name, "user.js").write_text(PREFERENCES)
        arguments = ["--headless", "--no-remote", "--remote-debugging-port=0", "--profile"]
        self._process = subprocess.Popen(
            [path, *arguments, self._profile.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._log = ServerLog(self._process.stdout)
        try:
            address = self._log.wait_for(LISTENING, timeout=TIMEOUT)[1]
            self._websocket = connect(f"{address}/session", max_size=None, proxy=None, legacy=True)
            self._ask("session.new", capabilities={})
            (tree,) = self._ask("browsingContext.getTree")["contexts"]
        except BaseException:
            self.stop()
            raise
        self._context = tree["context"]

    def _ask(self, method, **parameters):
        number = next(self._numbers)
        self._websocket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._websocket.recv(timeout=TIMEOUT))
            if answer.get("id") == number:
                break
        assert answer["type"] == "success", f"{method}: {answer['message']}"
        return answer["result"]

    def goto(self, url):
        self._ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, script, argument=None):
        """As playwright does it: the value of an expression, or of a call to a function."""
        if re.match(r"(async )?\(.*?\) =>", script):
            value = f"({script})({json.dumps(argument)})"
        elif script.startswith("for ") or ";" in script:
            value = f"(() => {{ {script} }})()"
        else:
            value = f"({script})"
        answer = self._ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await {value}))()",
            awaitPromise=True,
            target={"context": self._context},
        )
        if answer["type"] == "exception":
            raise AssertionError(answer["exceptionDetails"]["text"])
        found = answer["result"]
        return json.loads(found["value"]) if found["type"] == "string" else None

    def wait_for_function(self, expression):
        """Until the expression is true, asked for again whenever the page has done something."""
        self.evaluate(
            f"""() => new Promise((resolve, reject) => {{
              const late = setTimeout(reject, {TIMEOUT * 500}, Error("not in time"));
              (function look() {{
                if (!({expression})) return setTimeout(look, 5);
                clearTimeout(late);
                resolve();
              }})();
            }})"""
        )

    def stop(self):
        if hasattr(self, "_websocket"):
            self._websocket.close()
        self._process.terminate()
        try:
            self._process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.join()
        self._profile.cleanup()
