/* SPDX-License-Identifier: MIT */
/*
 * The daemon's log: one line an event on standard error, as logfmt or JSON.
 * Values are quoted so that none can forge a line or a field.
 */
#ifndef OBSRINGD_LOG_H
#define OBSRINGD_LOG_H

enum log_level {
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_WARN,
	LEVEL_ERROR,
};

enum log_format {
	LOG_LOGFMT,
	LOG_JSON,
};

/* At any time. */
void log_setup(enum log_level level, enum log_format format);

/* @message, then pairs of key and value, then NULL. */
void log_event(enum log_level level, const char *message, ...)
	__attribute__((sentinel));

#endif /* OBSRINGD_LOG_H */
