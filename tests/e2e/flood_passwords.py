#!/usr/bin/python3
# SPDX-License-Identifier: MIT
#
# flood_passwords.py PORT: 16 clients ask with wrong passwords as fast as they are
# answered, while one with the right one, alice:secret, asks 200 times. Each of its
# requests must be answered with 200, and in the middle sooner than a bcrypt takes.
import base64
import http.client
import statistics
import sys
import threading
import time

PORT = int(sys.argv[1])
FLOODERS = 16


def ask(connection, password):
    token = base64.b64encode(f"alice:{password}".encode()).decode()
    start = time.monotonic()
    connection.request("GET", "/-/healthy", headers={"Authorization": "Basic " + token})
    answer = connection.getresponse()
    answer.read()
    return answer.status, time.monotonic() - start


def connect():
    return http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)


seen = {}
seconds = []
over = threading.Event()
lock = threading.Lock()


def flood(number):
    connection = connect()
    turn = 0
    while not over.is_set():
        turn += 1
        status, took = ask(connection, f"wrong{number}.{turn}")
        with lock:
            seen[status] = seen.get(status, 0) + 1
            if status == 401:
                seconds.append(took)


right = connect()
status, hash_seconds = ask(right, "secret")	# the one that is remembered
assert status == 200, status
threads = [threading.Thread(target=flood, args=(i,)) for i in range(FLOODERS)]
for thread in threads:
    thread.start()
while not seen.get(401) or not seen.get(503):	# it is under way, and there are too many
    time.sleep(0.01)
took = []
for _ in range(200):
    status, duration = ask(right, "secret")
    assert status == 200, status
    took.append(duration)
over.set()
for thread in threads:
    thread.join()
middle = statistics.median(took)
print(f"a bcrypt {hash_seconds * 1000:.1f} ms; flooders: {seen}; "
      f"the one with the right password: median {middle * 1000:.2f} ms, "
      f"longest {max(took) * 1000:.1f} ms")
assert set(seen) == {401, 503}, seen
assert middle < hash_seconds / 2
