# SPDX-License-Identifier: MIT
"""page_cases.py BUILD: obsringd's page, of a segment, in headless Chromium. TAP.

OBSRING_SCREENSHOTS=DIRECTORY keeps pictures of it.
"""
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

sys.dont_write_bytecode = True
from browser import PATIENCE, Browser

BUILD = sys.argv[1]
HOSTILE = "<script>alert(1)</script>"
LONG = "x" * 120
MESSAGE = "<img src=x onerror=alert(1)>"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
FOCUSABLE = "a[href], button, input, select, textarea, [tabindex]"


# ---- What is served

class Field(ctypes.Structure):
    _fields_ = [("key", ctypes.c_char_p), ("value", ctypes.c_char_p)]


class Served:
    """A segment with series and records, and a daemon that serves it."""

    def __init__(self, folder):
        self.folder = folder
        self.device = os.path.join(folder, "obsring")
        self.control("segment", "create", self.device, device=False)
        self.inc(f'shop_orders_total{{kind="{HOSTILE}"}}', 2)
        self.inc(f'shop_orders_total{{kind="{LONG}"}}', 18446744073709551000)
        self.inc('shop_orders_total{kind="quote \\" back \\\\"}', 7)
        for value in ("0.004", "0.02", "0.02", "0.3"):
            self.observe(value)
        self.write_log()
        with open(os.path.join(folder, "err"), "wb") as err:
            self.daemon = subprocess.Popen(
                [f"{BUILD}/bin/obsringd", "--web.log", "--device", self.device,
                 "--web.listen-address", "127.0.0.1:0"], stderr=err, stdin=subprocess.DEVNULL)
        self.url = "http://" + self.address() + "/"

    def control(self, *arguments, device=True):
        before = ("--device", self.device) if device else ()
        subprocess.run([f"{BUILD}/bin/obsringctl", *before, *arguments], check=True,
                       stdout=subprocess.DEVNULL)

    def inc(self, series, by):
        self.control("inc", "--service", "shop", series, str(by))

    def observe(self, value):
        self.control("observe", "--service", "shop", "--exp10", "-6", "shop_wait_seconds", value)

    def write_log(self):
        library = ctypes.CDLL(f"{BUILD}/lib/libobsring.so.0")
        writer = ctypes.c_void_p()
        check(library.obs_log_writer_open(self.device.encode(), b"shop",
                                          ctypes.byref(writer)) == 0, "the log opens")
        library.obs_trace_set_traceparent(f"00-{TRACE}-00f067aa0ba902b7-01".encode())
        field = Field(b"order", b"<b>17</b>")
        library.obs_log_write(writer, 3, None, ctypes.byref(field), 1, MESSAGE.encode())
        library.obs_trace_clear()
        library.obs_log_write(writer, 6, None, None, 0, b"plain")
        library.obs_log_writer_close(writer)

    def address(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.daemon.poll() is None:
            with open(os.path.join(self.folder, "err"), encoding="utf-8") as err:
                found = re.search(r"address=(127\.0\.0\.1:\d+)", err.read())
            if found:
                return found.group(1)
            time.sleep(0.02)
        raise RuntimeError("obsringd does not listen")

    def get(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def metrics(self):
        """{name{labels}: figure}, as text."""
        lines = [line for line in self.get("metrics").splitlines()
                 if line and not line.startswith("#")]
        return {series: figure.strip() for series, figure in
                (re.fullmatch(r'([^{ ]+(?:\{.*\})?) +(\S+)', line).groups() for line in lines)}

    def close(self):
        self.daemon.terminate()
        self.daemon.wait()


# ---- What the page shows

ROWS = """[...document.querySelectorAll('#series li')].map((item) => ({
    name: item.querySelector('.name').textContent,
    labels: item.querySelector('.labels').textContent,
    value: item.querySelector('.value').textContent}))"""


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(found, expected, what):
    check(found == expected, f"{what}: {found!r}, not {expected!r}")


def show_all(browser):
    browser.run("""byId('search').value = ''; byId('kind').value = ''; filterChanged();""")
    check(browser.until("document.querySelectorAll('#series li').length > 8"), "series are shown")


def choose(browser, name):
    """Its row, pressed."""
    browser.run(f"""[...document.querySelectorAll('#series .row')].find((row) =>
        row.querySelector('.name').textContent === '{name}').click()""")
    check(browser.until(f"""!byId('detail').hidden && byId('cpus').children.length &&
        byId('detail-title').textContent.startsWith('{name}')"""), "its details are shown")


def pause(browser, paused):
    if browser.run("state.paused") != paused:
        browser.run("byId('pause').click()")
    if paused:
        check(browser.until("!running"), "it rests")


def test_loads(served, browser):
    check(browser.until("byId('health').textContent === 'ready'"), "the device is ready")
    check(browser.until("document.querySelectorAll('#series li').length > 0"), "series are shown")
    check(browser.until("document.querySelectorAll('#records li').length === 2"), "so is the log")
    check(browser.until("byId('losses').children.length > 2"), "so are losses")
    check(browser.run("byId('state').textContent").find(served.device) >= 0, "so is the device")


def test_loads_nothing_else(served, browser):
    urls = [event["request"]["url"] for event in browser.seen("Network.requestWillBeSent")]
    check(urls, "requests are seen")
    foreign = [url for url in urls if not url.startswith((served.url, "data:", "about:"))]
    equal(foreign, [], "requests elsewhere")
    page = served.get("")
    check(len(page) < 40000, f"the page is small: {len(page)} bytes")
    page = page.replace("http://www.w3.org/2000/svg", "")    # a name, not a place
    check(not re.search(r'\bon\w+="|javascript:|\bstyle="|innerHTML|outerHTML|'
                        r'insertAdjacentHTML|document\.write|eval\(|//[a-z]+\.', page),
          "neither handlers nor markup made of text")


def test_policy(served, browser):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(served.url, timeout=PATIENCE) as answer:
        policy = answer.headers["Content-Security-Policy"]
    check("default-src 'none'" in policy and "unsafe" not in policy, policy)
    # A script that is not the page's does not run, one element or another.
    browser.run("""window.ran = 0;
        for (const text of ['window.ran = 1']) {
            const script = document.createElement('script');
            script.textContent = text;
            document.head.append(script);
            script.remove();
        }""")
    equal(browser.run("window.ran"), 0, "foreign scripts that ran")


def test_hostile_text(served, browser):
    show_all(browser)
    check(browser.until(f"byId('series').textContent.includes({json.dumps(HOSTILE)})"),
          "the label is shown as it is")
    check(browser.until(f"byId('records').textContent.includes({json.dumps(MESSAGE)})"),
          "the message is shown as it is")
    check(browser.run("byId('records').textContent.includes('order=<b>17</b>')"), "and its field")
    equal(browser.run("document.querySelectorAll('script').length"), 1, "script elements")
    equal(browser.run("document.querySelectorAll('img, b, iframe').length"), 0, "other elements")
    equal(browser.seen("Page.javascriptDialogOpening"), [], "dialogs")


def test_figures(served, browser):
    show_all(browser)
    browser.run("refresh()")
    pause(browser, True)
    rows = browser.run(ROWS)
    metrics = served.metrics()
    pause(browser, False)
    wrong = {}
    for row in rows:
        series = row["name"] + row["labels"].replace('", ', '",')
        if series not in metrics:
            series = row["name"] + "_count" + row["labels"].replace('", ', '",')
        if metrics.get(series) != row["value"]:
            wrong[series] = (row["value"], metrics.get(series))
    equal(wrong, {}, "figures that differ")
    own = [name for name in metrics if name.startswith(("shop_orders", "obsring_service"))]
    shown = {row["name"] + row["labels"].replace('", ', '",') for row in rows}
    equal([name for name in own if name not in shown], [], "series that are not shown")
    # More digits than a double has.
    check("18446744073709551000" in [row["value"] for row in rows], "all digits are shown")


def test_figures_follow(served, browser):
    served.inc(f'shop_orders_total{{kind="{HOSTILE}"}}', 3)
    check(browser.until(f"{ROWS}.some((row) => row.labels.includes('alert') && row.value === '5')"),
          "a new figure comes by itself")
    check(browser.until("""[...document.querySelectorAll('#series svg path')].some((path) =>
        path.getAttribute('d').includes('L'))"""), "sparklines are drawn")


def test_histogram(served, browser):
    choose(browser, "shop_wait_seconds")
    served.observe("0.3")
    check(browser.until("""byId('heat').getContext('2d').getImageData(0, 0, byId('heat').width,
        byId('heat').height).data.some((byte) => byte)"""), "the heat map is drawn")
    cells = browser.run("""[...byId('quantiles').rows].map((row) =>
        [...row.cells].map((cell) => cell.textContent))""")
    # The new one is between 0.25 and 0.5. The middle of all five (0.004, two 0.02, two
    # 0.3) is three quarters through the two that are between 0.01 and 0.025.
    equal(cells[0], ["p50", "0.375", "0.02125"], "the median")
    # They are asked for after the rest is shown.
    check(browser.until("""[...byId('cpus').querySelectorAll('.value')].reduce((sum, cell) =>
        sum + Number(cell.textContent), 0) === 5"""), "the CPUs' sum is the count")


def test_search(served, browser):
    browser.run("byId('search').focus()")
    browser.type("ORDERS quote")
    check(browser.until(f"{ROWS}.length === 1"), "one series is found")
    equal(browser.run(ROWS)[0]["value"], "7", "its figure")
    browser.run("byId('search').value = 'nothing at all'; filterChanged()")
    check(browser.until("byId('found').textContent === 'No series found.'"), "none is found")
    browser.run("""byId('search').value = ''; byId('kind').value = 'histogram';
        byId('kind').dispatchEvent(new Event('change'))""")
    check(browser.until(f"{ROWS}.length === 1 && {ROWS}[0].name === 'shop_wait_seconds'"),
          "one histogram is found")
    show_all(browser)


def test_log_filters(served, browser):
    browser.run("byId('level').value = 'err'; byId('level').dispatchEvent(new Event('change'))")
    check(browser.until("""byId('records').children.length === 1 &&
        byId('records').textContent.includes('onerror')"""), "errors only")
    browser.run("byId('clear').click()")
    check(browser.until("byId('records').children.length === 2"), "all again")
    browser.run("byId('records').querySelector('button').click()")
    check(browser.until("byId('records').children.length === 1"), "one trace only")
    equal(browser.run("byId('trace').value"), TRACE, "the trace")
    browser.run("byId('clear').click()")
    check(browser.until("byId('records').children.length === 2"), "all again")


RULES = """[...byId('rules').rows].map((row) => [...row.cells].map((cell) => cell.textContent))"""


def test_sampling(served, browser):
    check(browser.until("!byId('no-rules').hidden"), "no rule is in force")
    rules = [["user.shop:info", "1:100"], ["user.shop:debug", "drop"], ["user.other", "trace:5%"],
             ["user.more", "12.5%"], ["*:notice", "20/s"], ["*", "target:50/s"]]
    for rule in rules:
        served.control("sample", "set", *rule)
    check(browser.until(f"byId('rules').rows.length === {len(rules)}"), "all rules are shown")
    equal(browser.run(RULES), rules, "rules")
    check(browser.run("byId('no-rules').hidden"), "there is a rule")
    metrics = served.metrics()
    equal(float(metrics['obsring_sample_rule_ratio{source="user.shop",level="info",'
                        'rule="one_in"}']), 0.01, "what one in a hundred is")
    equal(metrics['obsring_sample_rule_records_per_second{source="*",level="",rule="target"}'],
          "50", "what the target is")
    served.control("sample", "set", "user.shop:info", "keep")
    check(browser.until(f"{RULES}.some((cells) => cells.join() === 'user.shop:info,keep')"),
          "a rule that changes is shown")
    for source, _ in rules:
        served.control("sample", "delete", source)
    check(browser.until("!byId('no-rules').hidden && byId('rules').rows.length === 0"),
          "none is in force again")
    served.control("sample", "set", "user.other", "1:1000")    # for what comes


NARROW = """(() => {
    const root = document.documentElement;
    const wide = [...document.body.querySelectorAll('*')].filter((element) => {
        const box = element.getBoundingClientRect();
        return box.width && (box.right > root.clientWidth + 0.5 || box.left < -0.5);
    });
    return { page: root.scrollWidth - root.clientWidth,
        wide: wide.map((element) => element.outerHTML.slice(0, 100)),
        inner: [...document.querySelectorAll('section, .scroll, ul')].filter((element) =>
            element.scrollWidth > element.clientWidth + 1).map((element) =>
            element.id || element.className) };
})()"""


def test_narrow(served, browser):
    for width in (360, 1280):
        browser.width(width)
        check(browser.until(f"innerWidth === {width}"), "the screen is narrow")
        equal(browser.run(NARROW), {"page": 0, "wide": [], "inner": []}, f"too wide at {width}")


def test_keyboard(served, browser):
    browser.width(360)
    pause(browser, True)
    browser.run(f"""document.activeElement.blur(); window.scrollTo(0, 0); window.reached = new Set();
        window.wanted = [...document.querySelectorAll('{FOCUSABLE}')].filter((element) =>
            element.checkVisibility() && element.tabIndex >= 0);""")
    wanted = browser.run("wanted.length")
    check(wanted > 20, f"there are controls: {wanted}")
    for _ in range(wanted + 2):
        browser.key("Tab")
        browser.run("reached.add(document.activeElement)")
    missed = browser.run("""wanted.filter((element) => !reached.has(element)).map((element) =>
        element.outerHTML.slice(0, 100))""")
    equal(missed, [], "controls that the keyboard does not reach")
    pause(browser, False)
    browser.run("document.querySelector('#series .row').focus()")
    before = browser.run("state.chosen")
    browser.key("Enter")
    check(browser.run("state.chosen") != before, "Enter chooses a series")
    browser.run("document.activeElement.blur()")
    browser.key("/")
    equal(browser.run("document.activeElement.id + byId('search').value"), "search", "what / does")


CONTRAST = """(() => {
    const parts = (color) => color.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const light = (color) => parts(color).map((c) => c / 255).map((c) =>
        c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const color = getComputedStyle(element).backgroundColor;
            if (color !== 'rgba(0, 0, 0, 0)')
                return color;
        }
    };
    let least = 21;
    for (const element of document.body.querySelectorAll('*')) {
        if (!element.checkVisibility() || ![...element.childNodes].some((node) =>
                node.nodeType === 3 && node.data.trim()))
            continue;
        const a = light(getComputedStyle(element).color), b = light(behind(element));
        least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    return least;
})()"""


def test_light_and_dark(served, browser):
    grounds = set()
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        grounds.add(browser.run("getComputedStyle(document.body).backgroundColor"))
        contrast = browser.run(CONTRAST)
        check(contrast >= 4.5, f"{scheme}: contrast {contrast:.2f}")
    equal(len(grounds), 2, "grounds")


def test_no_complaints(served, browser):
    equal(browser.seen("Runtime.exceptionThrown"), [], "exceptions")
    # The foreign script of test_policy() is refused, and said to be.
    entries = [event["entry"] for event in browser.seen("Log.entryAdded")]
    errors = [entry["text"] for entry in entries if entry["level"] == "error"]
    equal([text for text in errors if "Content Security Policy" not in text], [], "errors")
    equal(len(errors), 1, "refusals of the policy")


def test_device_goes(served, browser):
    os.unlink(served.device)
    check(browser.until("byId('health').className.includes('bad')"), "health is bad")
    check(browser.until("byId('state').textContent.includes('No such file')"), "it says why")


TESTS = [test_loads, test_loads_nothing_else, test_policy, test_hostile_text, test_figures,
         test_figures_follow, test_histogram, test_search, test_log_filters, test_sampling,
         test_narrow, test_keyboard, test_light_and_dark, test_no_complaints, test_device_goes]


def keep_pictures(browser, folder):
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        for width in (360, 1280):
            browser.width(width)
            browser.width(width, browser.run("document.documentElement.scrollHeight"))
            browser.screenshot(os.path.join(folder, f"{scheme}-{width}.png"))


def run(served, browser):
    failed = 0
    print(f"TAP version 13\n1..{len(TESTS)}", flush=True)
    browser.width(1280)
    browser.open(served.url)
    browser.run("byId('period').value = '1000'")
    for number, test in enumerate(TESTS, 1):
        try:
            test(served, browser)
            result = "ok"
        except (AssertionError, RuntimeError):
            failed += 1
            result = "not ok"
            for line in traceback.format_exc().splitlines():
                print("#", line)
        print(result, number, test.__name__.removeprefix("test_"), flush=True)
        if test is test_histogram and "OBSRING_SCREENSHOTS" in os.environ:
            keep_pictures(browser, os.environ["OBSRING_SCREENSHOTS"])
            browser.width(1280)
    return failed


def main():
    folder = tempfile.mkdtemp()
    served = browser = None
    try:
        served = Served(folder)
        browser = Browser(shutil.which("chromium"), folder)
        return 1 if run(served, browser) else 0
    finally:
        if browser:
            browser.close()
        if served:
            served.close()
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
