# SPDX-License-Identifier: MIT
"""Headless Chromium over its DevTools pipe: NUL-ended JSON on descriptors 3 and 4."""
import base64
import json
import os
import select
import signal
import subprocess
import tempfile
import time

PATIENCE = 180

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions",
         "--disable-default-apps", "--no-default-browser-check", "--no-proxy-server",
         "--remote-debugging-pipe")


class Browser:
    """One browser with one tab."""

    def __init__(self, program, profile):
        here_reads, there_writes = os.pipe()
        there_reads, here_writes = os.pipe()
        # What the shell places at 3 and 4 may stand at one of them already.
        with open(os.path.join(profile, "log"), "wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"', "bash",
                 str(self._high(there_reads)), str(self._high(there_writes)), program, *FLAGS,
                 f"--user-data-dir={profile}/data", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False,
                env={**os.environ, "HOME": profile}, start_new_session=True)
        for fd in self._highs:
            os.close(fd)
        self.reader, self.writer = here_reads, here_writes
        self.buffer = b""
        self.number = 0
        self.events = []
        target = self.call("Target.createTarget", session=None, url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", session=None, targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")

    _highs = []

    def _high(self, fd):
        """The same, inheritable and out of the way."""
        import fcntl
        high = fcntl.fcntl(fd, fcntl.F_DUPFD, 20)
        os.close(fd)
        self._highs = [*self._highs, high]
        return high

    session = None

    def call(self, method, session=True, **params):
        """What the browser answers."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        number = self.number
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._next(deadline)
            if answer.get("id") != number:
                self.events.append(answer)
                continue
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            return answer["result"]

    def _next(self, deadline):
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.reader], [], [], left)[0]:
                raise RuntimeError("the browser does not answer")
            data = os.read(self.reader, 1 << 20)
            if not data:
                raise RuntimeError("the browser has ended")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def run(self, script):
        """The value of an expression in the page, awaited."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def until(self, script):
        """Poll an expression until it is true; False if it does not become so."""
        deadline = time.monotonic() + PATIENCE
        while not self.run(script):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def open(self, url):
        """Go there, and wait until all of it is there."""
        self.call("Page.navigate", url=url)
        if not self.until(f"location.href === {json.dumps(url)} && "
                          "document.readyState === 'complete'"):
            raise RuntimeError(f"{url}: not loaded")

    def width(self, width, height=800):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)

    def scheme(self, scheme):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    KEYS = {"Tab": 9, "Enter": 13, "/": 191}

    def key(self, key):
        text = {"Enter": "\r", "Tab": ""}.get(key, key)
        code = {"key": key, "windowsVirtualKeyCode": self.KEYS[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **code,
                  **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def seen(self, method):
        """Parameters of the events of that name until now."""
        self.run("0")
        return [event["params"] for event in self.events if event.get("method") == method]

    def close(self):
        os.close(self.writer)
        os.close(self.reader)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
