/* SPDX-License-Identifier: MIT */
/*
 * tls_server_config, made into what GnuTLS takes: certificates, priorities, and
 * who may come in.
 */
#ifndef OBSRINGD_TLS_H
#define OBSRINGD_TLS_H

#include <gnutls/gnutls.h>

#include "webconfig.h"

#define TLS_REASON_MAX 512

struct tls {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	gnutls_certificate_request_t request;
	bool verifies;
	const struct web_tls *settings;		/* outlive it */
};

/*
 * @directory: where files with a relative name are. -errno, with @reason set and
 * nothing to free. @settings are kept.
 */
int tls_init(struct tls *tls, const struct web_tls *settings, const char *directory,
	     char reason[TLS_REASON_MAX]);
void tls_exit(struct tls *tls);

/* Before its handshake: @session goes by @tls, which outlives it. -EIO. */
int tls_apply(const struct tls *tls, gnutls_session_t session);

/* The file that @pem is in, or "" if it is in none. False: the name is too long. */
bool tls_file(const struct web_pem *pem, const char *directory, char *ret_path,
	      size_t size);

#endif /* OBSRINGD_TLS_H */
