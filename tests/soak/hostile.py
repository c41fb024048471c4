#!/usr/bin/python3
# SPDX-License-Identifier: MIT
#
# hostile.py OBSRINGD DEVICE [--soak SECONDS]
#
# While clients do their worst, one by one or, in the soak, all together and with
# a device whose series and module come and go, another scrapes: each of its answers
# must be whole and true, or, if the device is gone, say so. The daemon's memory is
# bounded meanwhile, and its files are back afterwards. Prints TAP, with what
# was measured; times are shown and decide nothing.
import http.client
import os
import random
import re
import resource
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

CONNECTIONS = 400	# --web.max-connections
SPAN = 1.0		# of each attack
HOSTILE = "127.0.0.2"	# where they come from; Prometheus is elsewhere
TIMEOUT = 10		# as Prometheus' own
PATIENCE = 180

# What a connection may cost, with its 16 KiB for headers; with GnuTLS' session.
PLAIN_BYTES = 24 << 10
TLS_BYTES = 96 << 10
SLACK_BYTES = 6 << 20	# of malloc, and of bodies that slow readers hold


class Daemon:
    """obsringd on a port of its own, and what /proc says of it."""

    def __init__(self, program, directory, *args):
        self.log = open(f"{directory}/log", "wb+")
        self.process = subprocess.Popen(
            [program, "--web.listen-address=127.0.0.1:0", f"--device={directory}/obsring",
             f"--web.max-connections={CONNECTIONS}", "--log.level=warn", *args],
            stderr=self.log)
        self.pid = self.process.pid
        self.port = self.find_port()

    def find_port(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            port = listening_port(self.pid)
            if port:
                return port
            time.sleep(0.01)
        raise RuntimeError("obsringd does not listen")

    def status(self, name):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(rf"^{name}:\s*(\d+)", file.read(), re.M).group(1)) << 10

    def forget_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w") as file:
            file.write("5")

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu(self):
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def state(self):
        with open(f"/proc/{self.pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]

    def stop(self):
        self.process.terminate()
        return self.process.wait(PATIENCE)


def listening_port(pid):
    """The port of the one socket of @pid that listens."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            pass
    with open("/proc/net/tcp") as file:
        for line in file.readlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                return int(fields[1].split(":")[1], 16)
    return 0


class Device:
    def __init__(self, program, directory, series, kind):
        self.process = subprocess.Popen([program, directory, str(series), kind],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("no device")

    def stop(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


# ---- The one that scrapes ----------------------------------------------------

LINE = re.compile(rb'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})? +([0-9eE.+-]+|\+Inf|NaN)$')
OWN = re.compile(rb'^n="(\d+)"$')


def check_body(body):
    """None, or what is wrong with a body of text 0.0.4."""
    if not body.endswith(b"\n"):
        return "it does not end"
    seen = set()
    for line in body.splitlines():
        if line.startswith(b"#"):
            continue
        match = LINE.match(line)
        if not match:
            return f"a bad line: {line!r}"
        name = match.group(1), match.group(2)
        if name in seen:
            return f"there twice: {name!r}"
        seen.add(name)
        number = OWN.match(match.group(2) or b"")
        if number and int(match.group(3)) not in (0, int(number.group(1)) * 7 + 1):
            return f"of another: {line!r}"
    return None


class Scraper(threading.Thread):
    """Scrapes on a kept connection and on new ones, in turn, until it is told."""

    def __init__(self, daemon, tls=None, gone_is_fine=False, pause=0.01):
        super().__init__()
        self.daemon_ = daemon
        self.tls = tls
        self.gone_is_fine = gone_is_fine
        self.pause = pause
        self.over = threading.Event()
        self.seconds = []
        self.problems = []
        self.gone = 0
        self.kept = None

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.daemon_.port,
                                               timeout=TIMEOUT, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.daemon_.port, timeout=TIMEOUT)

    def scrape(self, connection):
        start = time.monotonic()
        connection.request("GET", "/metrics", headers={
            "X-Prometheus-Scrape-Timeout-Seconds": str(TIMEOUT)})
        answer = connection.getresponse()
        body = answer.read()
        self.seconds.append(time.monotonic() - start)
        if answer.status == 503 and self.gone_is_fine and body.startswith(b"not ready: "):
            self.gone += 1
            return None
        if answer.status != 200:
            return f"status {answer.status}: {body[:200]!r}"
        return check_body(body)

    def turn(self, number):
        if number % 2:
            connection = self.connect()
            problem = self.scrape(connection)
            connection.close()
            return problem
        # One that was idle may be closed for another's sake: Prometheus connects again.
        try:
            if not self.kept:
                self.kept = self.connect()
            return self.scrape(self.kept)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.kept = self.connect()
            return self.scrape(self.kept)

    def run(self):
        number = 0
        while not self.over.wait(self.pause):
            try:
                problem = self.turn(number)
            except Exception as error:	# whatever it is, it is a scrape that failed
                problem = repr(error)
                self.kept = None
            if problem:
                self.problems.append(problem)
            number += 1

    def stop(self):
        self.over.set()
        self.join()


# ---- Those who do their worst ------------------------------------------------

class Attack:
    """Some sockets, and what is done with each of them, again and again."""

    sockets = 100
    tls = False
    pause = 0.0

    def __init__(self, port, seed=1):
        self.port = port
        self.random = random.Random(seed)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.opened = self.ended = 0

    def open(self):
        s = socket.socket()
        s.setblocking(False)
        try:
            s.bind((HOSTILE, 0))
            self.prepare(s)
            s.connect(("127.0.0.1", self.port))
        except BlockingIOError:
            pass
        self.opened += 1
        return s

    def prepare(self, s):
        pass

    def bytes(self):
        return b""

    def step(self, s):
        """False: this one has done; another takes its place."""
        data = self.bytes()
        return not data or s.send(data) >= 0

    def is_open(self, s):
        """Takes what was answered, if there is something."""
        return s.recv(65536) != b""

    def alive(self, s):
        try:
            more = self.step(s)
            try:
                return self.is_open(s) and more
            except BlockingIOError:
                return more
        except BlockingIOError:
            return True
        except OSError:
            return False

    def run(self):
        sockets = []
        while not self.over.is_set():
            if len(sockets) < self.sockets:
                sockets.append(self.open())
            for s in sockets[:]:
                if self.alive(s):
                    continue
                self.ended += 1
                sockets.remove(s)
                s.close()
            time.sleep(self.pause)
        for s in sockets:
            s.close()

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.over.set()
        self.thread.join()


class Idle(Attack):
    """A thousand that say nothing, where there is room for 400."""
    sockets = 1000

    def step(self, s):
        return True

    def run(self):
        sockets = []
        while not self.over.is_set():
            while len(sockets) < self.sockets and not self.over.is_set():
                sockets.append(self.open())
            live = [s for s in sockets if self.alive(s)]
            self.ended += len(sockets) - len(live)
            for s in set(sockets) - set(live):
                s.close()
            sockets = live
            time.sleep(0.02)
        for s in sockets:
            s.close()


class Trickle(Attack):
    """A request that never ends, a byte at a time."""
    pause = 0.02

    def bytes(self):
        return self.random.choice([b"G", b"a", b":", b" ", b"\r\n", b"x"])


class EmptyLines(Attack):
    """Line ends for ever, which a server may skip before a request."""
    sockets = 8

    def bytes(self):
        return b"\r\n\r\n" * 500


class Headers(Attack):
    """More of them than there is room for."""
    sockets = 16

    def bytes(self):
        return self.random.choice([
            b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"X-a: b\r\n" * 5000,
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100000,
            b"GET /" + b"x" * 100000,
            b"Cookie: " + b"a=b; " * 20000,
        ])

    def step(self, s):
        super().step(s)
        return self.random.random() > 0.2


class Malformed(Attack):
    """No HTTP, or nearly."""
    sockets = 50
    SHAPES = [
        b"GET\r\n\r\n", b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n", b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"ffffffffffffffffff\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n: \r\n\r\n", b"GET /metrics HTTP/1.1\r\n x\r\n\r\n",
        b"GET /%zz%00%ff?name[]=%00&name[]=%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://x/metrics HTTP/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xff\r\n"
        b"Accept: \xff;q=nan,*/*;q=1e999\r\nAccept-Encoding: gzip;q=\r\n"
        b"X-Prometheus-Scrape-Timeout-Seconds: 1e400\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ]

    def bytes(self):
        data = bytearray(self.random.choice(self.SHAPES))
        for _ in range(self.random.randrange(3)):
            data[self.random.randrange(len(data))] = self.random.randrange(256)
        return bytes(data)

    def step(self, s):
        super().step(s)
        return self.random.random() > 0.3


class Bodies(Attack):
    """A gigabyte that nobody wants."""
    sockets = 8

    def bytes(self):
        return self.random.choice([
            b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n",
            b"x" * 50000,
        ])


class SlowReaders(Attack):
    """They ask, and do not take their answers: more of them than are answered at once."""
    sockets = 100
    pause = 0.02
    ASK = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

    def prepare(self, s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)

    def bytes(self):
        return self.ASK

    def is_open(self, s):
        return True


class Pipelines(Attack):
    """Hundreds of requests in one go, and not an answer is read."""
    sockets = 20

    def bytes(self):
        return b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 500

    def is_open(self, s):
        return True


class Resets(Attack):
    """Gone in the middle of it, by a reset."""
    sockets = 50

    def prepare(self, s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def step(self, s):
        s.send(self.random.choice([b"GET /me", SlowReaders.ASK]))
        return False


class TlsGarbage(Attack):
    """To a server that wants a handshake."""
    sockets = 300
    tls = True
    HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(32)

    def bytes(self):
        return self.random.choice([
            self.random.randbytes(500), self.HELLO, b"\x16\x03\x01\xff\xff",
            b"GET / HTTP/1.1\r\n\r\n", self.HELLO + self.random.randbytes(300), b"\x15",
        ])

    def step(self, s):
        super().step(s)
        return self.random.random() > 0.1


class TlsIdle(Idle):
    """A thousand that begin a handshake, and wait."""
    tls = True

    def step(self, s):
        if self.random.random() < 0.01:
            s.send(b"\x16")
        return True


ATTACKS = [Idle, Trickle, EmptyLines, Headers, Malformed, Bodies, SlowReaders, Pipelines,
           Resets, TlsGarbage, TlsIdle]


# ---- Results -----------------------------------------------------------------

class Tap:
    def __init__(self):
        self.number = self.failed = 0

    def report(self, problems, name):
        self.number += 1
        for problem in problems[:10]:
            print(f"# {problem}")
        print(f"{'not ok' if problems else 'ok'} {self.number} {name}", flush=True)
        self.failed += bool(problems)

    def end(self):
        print(f"1..{self.number}")
        return 1 if self.failed else 0


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def describe(seconds):
    ms = [s * 1000 for s in seconds]
    return f"{len(ms)} scrapes, median {statistics.median(ms):.1f} ms, longest {max(ms):.0f} ms"


def one_attack(daemon, attack_class, tls):
    """Problems that it made."""
    files = daemon.files()
    before = daemon.status("VmRSS")
    daemon.forget_peak()
    attack = attack_class(daemon.port).start()
    scraper = Scraper(daemon, tls)
    scraper.start()
    until(lambda: attack.opened >= attack.sockets)
    time.sleep(SPAN)	# how long it lasts, not what is waited for
    scraper.stop()
    peak = daemon.status("VmHWM")
    attack.stop()
    problems = scraper.problems
    print(f"# {attack_class.__name__}: {describe(scraper.seconds)}; "
          f"{attack.opened} connections, {attack.ended} ended; "
          f"RSS {before >> 10} KiB, at most {(peak - before) >> 10} KiB more")
    bound = CONNECTIONS * (TLS_BYTES if tls else PLAIN_BYTES) + SLACK_BYTES
    if peak - before > bound:
        problems.append(f"{(peak - before) >> 10} KiB are more than {bound >> 10}")
    if not scraper.seconds:
        problems.append("no scrape at all")
    if not until(lambda: daemon.files() <= files + 2):
        problems.append(f"{daemon.files()} files are open, {files} were")
    return problems


def stopped(daemon, ask):
    """What @ask does comes while the daemon stands still, so that it looks at all at once."""
    os.kill(daemon.pid, signal.SIGSTOP)
    until(lambda: daemon.state() == "T")
    ask()
    os.kill(daemon.pid, signal.SIGCONT)


def all_ask(daemon, nr, problems):
    """Of nr clients that ask at once: what each is answered."""
    clients = [http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=PATIENCE)
               for _ in range(nr)]
    for client in clients:
        client.request("GET", "/-/healthy")
        client.getresponse().read()
    stopped(daemon, lambda: [client.request("GET", "/metrics") for client in clients])
    bodies = []
    for client in clients:
        try:
            bodies.append(client.getresponse().read())
        except (OSError, http.client.HTTPException) as error:
            problems.append(f"{nr} clients: no answer: {error!r}")
        client.close()
    return bodies


def asked_at_once(daemon):
    """Problems of clients whose requests are there when the daemon looks: of one of its
    threads, or of each of two, as many as libmicrohttpd asks the kernel for at once. What
    it answers them is read once by each thread, after all had come."""
    problems = []
    for nr in 128, 256:
        bodies = set(all_ask(daemon, nr, problems))
        print(f"# {nr} at once: {len(bodies)} different answers")
        if not 1 <= len(bodies) <= 2:
            problems.append(f"{nr} clients that ask at once have {len(bodies)} different answers")
    return problems


def asked_in_turn(daemon):
    """Problems of a client that sends two requests at once: the second may have come when
    the first had been answered, and gets what is read for it."""
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    counts = []
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=PATIENCE) as client:
        stopped(daemon, lambda: client.sendall(request * 2))
        answers = client.makefile("rb")
        for _ in range(2):
            if not answers.readline().startswith(b"HTTP/1.1 200 "):
                return ["one was not answered"]
            headers = http.client.parse_headers(answers)
            body = answers.read(int(headers["Content-Length"]))
            counts.append(re.findall(rb"^obsringd_http_requests_total.*200.*$", body, re.M))
    if not counts[0] or counts[0] == counts[1]:
        return [f"the second answer is as old as the first: {counts}"]
    return []


def slow_beside_a_flood(daemon, tls):
    """Problems of one that has said nothing yet behind its handshake, while more come from
    elsewhere than there is room for, twice over."""
    flood = TlsIdle(daemon.port).start()
    until(lambda: flood.ended)
    client = http.client.HTTPSConnection("127.0.0.1", daemon.port, timeout=PATIENCE, context=tls)
    client.connect()
    ended = flood.ended
    until(lambda: flood.ended - ended > 2 * CONNECTIONS)
    try:
        client.request("GET", "/-/healthy")
        return [] if client.getresponse().status == 200 else ["it was refused"]
    except (OSError, http.client.HTTPException) as error:
        return [f"it was not answered: {error!r}"]
    finally:
        client.close()
        flood.stop()


def make_tls(directory):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{directory}/key.pem",
         "-out", f"{directory}/cert.pem"], check=True, stderr=subprocess.DEVNULL)
    with open(f"{directory}/web.yml", "w") as file:
        file.write("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")
    return ssl.create_default_context(cafile=f"{directory}/cert.pem")


def run_attacks(program, device_program, directory):
    tap = Tap()
    device = Device(device_program, directory, 2000, "still")
    tls = make_tls(directory)
    plain = Daemon(program, directory)
    secure = Daemon(program, directory, f"--web.config.file={directory}/web.yml")
    warm = Scraper(plain)
    warm.start()
    until(lambda: len(warm.seconds) > 20)
    warm.stop()
    print(f"# at rest: {describe(warm.seconds)}")
    tap.report(asked_at_once(plain), "all that ask at once are answered, by one reading")
    tap.report(asked_in_turn(plain), "who asks twice is answered by two")
    for attack in ATTACKS:
        daemon = secure if attack.tls else plain
        tap.report(one_attack(daemon, attack, tls if attack.tls else None),
                   attack.__doc__)
    tap.report(slow_beside_a_flood(secure, tls), "a flood takes no place from one elsewhere")
    for daemon, name in (plain, "the daemon ends well"), (secure, "and the one with TLS"):
        tap.report([] if daemon.stop() == 0 else ["it did not"], name)
    device.stop()
    return tap.end()


# ---- The soak ----------------------------------------------------------------

def churn_config(directory, over):
    """The web configuration is replaced, sometimes by a broken one."""
    number = 0
    while not over.wait(0.5):
        number += 1
        with open(f"{directory}/plain.next", "w") as file:
            file.write("nonsense: 1\n" if number % 3 == 0 else
                       "http_server_config: {headers: {X-Frame-Options: deny}}\n")
        os.rename(f"{directory}/plain.next", f"{directory}/plain.yml")


def soak(program, device_program, directory, span):
    tap = Tap()
    device = Device(device_program, directory, 2000, "churn")
    with open(f"{directory}/plain.yml", "w") as file:
        file.write("{}\n")
    daemon = Daemon(program, directory, f"--web.config.file={directory}/plain.yml")
    over = threading.Event()
    config = threading.Thread(target=churn_config, args=(directory, over))
    config.start()
    scrapers = [Scraper(daemon, gone_is_fine=True, pause=0.2) for _ in range(2)]
    for scraper in scrapers:
        scraper.start()
    samples = []
    start = time.monotonic()
    turn = 0
    # Each half has a round at least.
    while (time.monotonic() - start < span or turn < 4) and daemon.process.poll() is None:
        # Three at a time, others each time; memory is looked at when all have gone.
        chosen = [a for a in ATTACKS if not a.tls]
        random.Random(turn).shuffle(chosen)
        attacks = [a(daemon.port, turn).start() for a in chosen[:3]]
        time.sleep(min(SPAN * 4, span / 8))
        for attack in attacks:
            attack.stop()
        until(lambda: daemon.files() < 64)
        samples.append((daemon.status("RssAnon"), daemon.files()))
        turn += 1
    over.set()
    config.join()
    problems = []
    for scraper in scrapers:
        scraper.stop()
        problems += scraper.problems
        print(f"# {describe(scraper.seconds)}; {scraper.gone} times the device was gone")
    tap.report(problems, "every answer is whole and true, or says that the device is gone")
    # The first fifth is the warming up.
    rest = samples[max(1, len(samples) // 5):]
    half = len(rest) // 2
    first, second = (max(rss for rss, _ in part) for part in (rest[:half], rest[half:]))
    print(f"# {turn} rounds, RSS (anonymous) at most {first >> 10} KiB in the first half, "
          f"{second >> 10} KiB in the second; files at most {max(f for _, f in rest)}; "
          f"CPU {daemon.cpu():.0f} s of {time.monotonic() - start:.0f}")
    # In a short one it is still warming up; long ones are there to find a leak.
    more = 1 << 20 if span > 300 else 4 << 20
    tap.report([] if second <= first + first // 10 + more else ["memory grows"],
               "memory is flat")
    tap.report([] if daemon.stop() == 0 else ["it did not"], "the daemon ends well")
    device.stop()
    return tap.end()


def main():
    program, device_program = map(os.path.abspath, sys.argv[1:3])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    print("TAP version 13")
    with tempfile.TemporaryDirectory() as directory:
        if len(sys.argv) > 4 and sys.argv[3] == "--soak":
            return soak(program, device_program, directory, float(sys.argv[4]))
        return run_attacks(program, device_program, directory)


if __name__ == "__main__":
    sys.exit(main())
