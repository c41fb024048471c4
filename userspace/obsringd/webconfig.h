/* SPDX-License-Identifier: MIT */
/*
 * --web.config.file, as exporter-toolkit has it: what it says, checked as far as
 * that goes without the files that it names.
 */
#ifndef OBSRINGD_WEBCONFIG_H
#define OBSRINGD_WEBCONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"

#define WEB_USERS_MAX		1024
#define WEB_SANS_MAX		256
#define WEB_HEADERS_MAX		5
#define WEB_SUITES_MAX		32
#define WEB_CURVES_MAX		8

enum web_client_auth {
	WEB_CLIENT_NONE,
	WEB_CLIENT_REQUEST,
	WEB_CLIENT_REQUIRE_ANY,
	WEB_CLIENT_VERIFY_IF_GIVEN,
	WEB_CLIENT_REQUIRE_AND_VERIFY,
};

enum web_version { WEB_TLS10, WEB_TLS11, WEB_TLS12, WEB_TLS13 };

/* A suite, and what GnuTLS makes it of. */
struct web_suite {
	const char *name;	/* IANA's and Go's */
	unsigned short id;
	const char *kx;		/* NULL: TLS 1.3 */
	const char *cipher;
	const char *mac;
};

struct web_curve {
	const char *name;	/* Go's */
	const char *group;	/* GnuTLS' */
};

/* Either in the file or in one of its own. */
struct web_pem {
	const char *text;
	const char *file;
};

struct web_tls {
	bool on;
	size_t line;
	struct web_pem cert, key, client_ca;
	enum web_client_auth client_auth;
	const char *san[WEB_SANS_MAX];
	unsigned int nr_sans;
	enum web_version min_version, max_version;
	const struct web_suite *suite[WEB_SUITES_MAX];
	unsigned int nr_suites;
	const struct web_curve *curve[WEB_CURVES_MAX];
	unsigned int nr_curves;
	bool prefer_server;
};

struct web_header {
	const char *name;
	const char *value;
};

struct web_user {
	const char *name;
	const char *hash;	/* bcrypt */
};

/* A request each interval, and so many at once; 0: no limit. */
struct web_rate {
	uint64_t interval_ns;
	unsigned int burst;
};

struct web_config {
	struct conf conf;	/* has the strings */
	struct web_tls tls;
	bool http2;
	struct web_header header[WEB_HEADERS_MAX];
	unsigned int nr_headers;
	struct web_rate rate;
	struct web_user *user;
	unsigned int nr_users;
};

/*
 * -errno, with config->conf.reason set and nothing to free; else
 * web_config_free(). @path is kept.
 */
int web_config_load(struct web_config *config, const char *path);
int web_config_parse(struct web_config *config, const char *name, const char *data,
		     size_t len);
void web_config_free(struct web_config *config);

#endif /* OBSRINGD_WEBCONFIG_H */
