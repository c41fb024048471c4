#!/usr/bin/python3
# SPDX-License-Identifier: MIT
#
# keep_connection.py PORT AUTHORITY: one connection over TLS, asked for
# /-/healthy once for each line of standard input; prints the status. Ends with an
# error if the connection is lost.
import http.client
import ssl
import sys

context = ssl.create_default_context(cafile=sys.argv[2])
connection = http.client.HTTPSConnection("localhost", int(sys.argv[1]), context=context)
connection.connect()
connection.auto_open = 0
for line in sys.stdin:
    connection.request("GET", "/-/healthy")
    answer = connection.getresponse()
    answer.read()
    print(answer.status, flush=True)
