#!/bin/sh
# SPDX-License-Identifier: MIT
#
# backup.sh FOLDER ARCHIVE
#
# A job of cron's that tells what it did. obsringctl run, through which it starts
# itself anew, records when it ran, how long, and with what status; the rest it counts
# itself. It backs up whatever becomes of its metrics: count never fails.
#
# Alerts then are queries: time() - job_end_time_seconds{service="backup"} > 2 * 86400,
# job_exit_status{service="backup"} != 0.

# With its options, if it needs any.
: "${OBSRINGCTL:=obsringctl}"

if [ $# != 2 ]; then
	echo "usage: backup.sh FOLDER ARCHIVE" >&2
	exit 2
fi
if [ -z "$BACKUP_IS_RECORDED" ]; then
	export BACKUP_IS_RECORDED=yes
	exec $OBSRINGCTL run --service backup -- "$0" "$@"
fi

count() {
	verb=$1
	shift
	$OBSRINGCTL "$verb" --service backup "$@" || :
}

failed() {
	count inc "backup_failures_total{step=\"$1\"}" --help-text "Backups that failed."
	exit 1
}

# Hundredths of seconds, by a clock that nobody sets.
uptime() {
	read -r up _ </proc/uptime
	echo "${up%.*}${up#*.}"
}

# step NAME COMMAND...: how long it took.
step() {
	name=$1
	shift
	begun=$(uptime)
	"$@" || failed "$name"
	took=$(($(uptime) - begun))
	count observe "backup_step_seconds{step=\"$name\"}" \
		"$(printf '%d.%02d' $((took / 100)) $((took % 100)))" \
		--help-text "Time that a step took." --buckets 0.1,1,10,60,600,3600
}

step archive tar -C "$1" -cf "$2.new" .
step verify tar -tf "$2.new" >/dev/null
step publish mv "$2.new" "$2"
count add backup_files_total "$(tar -tf "$2" | grep -vc '/$')" --help-text "Files that were backed up."
count set backup_archive_bytes "$(stat -c %s "$2")" --help-text "Size of the newest archive."
