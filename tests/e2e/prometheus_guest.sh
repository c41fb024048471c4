#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the guest of test_prometheus.sh: make series that hold still, serve them,
# say what obsringctl shows, and do what each line on standard input says.

insmod /lib/modules/obsring/obsring_example.ko || exit
echo 1234 >/sys/module/obsring_example/parameters/requests || exit
obsringctl family add e2e_bytes_total --kind counter --unit bytes \
	--help-text 'Bytes, "quoted" \ and on.' --label path --label über || exit
obsringctl series add 'e2e_bytes_total{path="/a \"b\"\\c",über="ä"}' || exit
obsringctl series update 'e2e_bytes_total{path="/a \"b\"\\c",über="ä"}' 9007199254740991 || exit
obsringctl family add e2e_level --kind gauge --help-text 'Below zero.' || exit
obsringctl series add e2e_level || exit
obsringctl series update e2e_level -42 || exit

start-stop-daemon -S -b -q -c nobody:obsring -x /usr/bin/obsringd -- --log.level=warn
until wget -q -O /dev/null http://127.0.0.1:10478/-/ready 2>/dev/null; do
	pidof obsringd >/dev/null || exit
	usleep 100000
done

for metric in example_requests_total example_bytes_total example_queued_requests \
	example_temperature_celsius example_request_latency_seconds example_info \
	e2e_bytes_total e2e_level; do
	obsringctl get --json "$metric" | tr '\n' ' ' || exit
	echo
done
echo ready

while read -r line; do
	case $line in
	unload) obsringctl drain && rmmod obsring_example && rmmod obsring || exit ;;
	load)
		insmod /lib/modules/obsring/obsring.ko &&
			chgrp obsring /dev/obsring && chmod 0660 /dev/obsring || exit
		;;
	end) exit ;;
	esac
	echo "done $line"
done
