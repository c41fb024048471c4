// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <gnutls/x509.h>

#include "file.h"
#include "text.h"
#include "tls.h"

#define PEM_BYTES_MAX	(1024 * 1024)
#define SAN_MAX		256

/* What a server lets in by default: forward secrecy and authenticated encryption. */
#define DEFAULT_KX	":+ECDHE-ECDSA:+ECDHE-RSA"
#define DEFAULT_CIPHERS	":+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"
#define DEFAULT_MAC	":+AEAD"

static const char *const version_name[] = {
	[WEB_TLS10] = "VERS-TLS1.0",
	[WEB_TLS11] = "VERS-TLS1.1",
	[WEB_TLS12] = "VERS-TLS1.2",
	[WEB_TLS13] = "VERS-TLS1.3",
};

/* ---- Priorities ---------------------------------------------------------- */

static void put(struct text *text, const char *name)
{
	text_puts(text, ":+");
	text_puts(text, name);
}

static void put_suites(struct text *text, const struct web_tls *settings)
{
	const struct web_suite *suite;
	unsigned int i;

	if (!settings->nr_suites) {
		text_puts(text, DEFAULT_KX DEFAULT_CIPHERS DEFAULT_MAC);
		return;
	}
	for (i = 0; i < settings->nr_suites; i++) {
		suite = settings->suite[i];
		if (suite->kx)
			put(text, suite->kx);
		put(text, suite->cipher);
		put(text, suite->mac);
	}
}

static void put_priority(struct text *text, const struct web_tls *settings)
{
	unsigned int i;

	text_puts(text, "NONE:+COMP-NULL:+CTYPE-X509:+SIGN-ALL");
	for (i = settings->max_version + 1; i-- > settings->min_version;)
		put(text, version_name[i]);
	put_suites(text, settings);
	for (i = 0; i < settings->nr_curves; i++)
		put(text, settings->curve[i]->group);
	if (!settings->nr_curves)
		text_puts(text, ":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
			  ":+GROUP-SECP521R1");
	if (settings->prefer_server)
		text_puts(text, ":%SERVER_PRECEDENCE");
	text_put(text, "", 1);
}

static bool is_named(const struct web_tls *settings, unsigned int id)
{
	unsigned int i;

	for (i = 0; i < settings->nr_suites; i++)
		if (settings->suite[i]->id == id)
			return true;
	return !settings->nr_suites;
}

/*
 * GnuTLS is told of key exchanges, ciphers and hashes, and takes each with each.
 * What that brings beyond the suites that were named is an error, not a surprise.
 * Of TLS 1.3 a suite is no more than its cipher.
 */
static int check_suites(gnutls_priority_t priority, const struct web_tls *settings,
			char reason[TLS_REASON_MAX])
{
	unsigned char id[2];
	gnutls_protocol_t oldest;
	unsigned int i, index;
	const char *name;
	bool any = false;
	int r;

	for (i = 0; ; i++) {
		r = gnutls_priority_get_cipher_suite_index(priority, i, &index);
		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (r < 0)
			continue;	/* not of these versions */
		any = true;
		name = gnutls_cipher_suite_info(index, id, NULL, NULL, NULL, &oldest);
		if (!name || oldest == GNUTLS_TLS1_3 ||
		    is_named(settings, id[0] << 8 | id[1]))
			continue;
		snprintf(reason, TLS_REASON_MAX, "cipher_suites: those would let in %s: "
			 "name it too, or fewer", name);
		return -EINVAL;
	}
	if (any)
		return 0;
	snprintf(reason, TLS_REASON_MAX, "no cipher suite is left of these versions");
	return -EINVAL;
}

static int init_priority(struct tls *tls, char reason[TLS_REASON_MAX])
{
	struct text text = { 0 };
	int r = GNUTLS_E_MEMORY_ERROR;

	put_priority(&text, tls->settings);
	if (!text_failed(&text))
		r = gnutls_priority_init(&tls->priority, text.data, NULL);
	text_free(&text);
	if (r >= 0)
		return check_suites(tls->priority, tls->settings, reason);
	tls->priority = NULL;
	snprintf(reason, TLS_REASON_MAX, "priorities: %s", gnutls_strerror(r));
	return -EINVAL;
}

/* ---- Certificates -------------------------------------------------------- */

bool tls_file(const struct web_pem *pem, const char *directory, char *ret_path,
	      size_t size)
{
	const char *file = pem->file ? pem->file : "";
	bool relative = *file && *file != '/';

	return (size_t)snprintf(ret_path, size, "%s%s%s", relative ? directory : "",
				relative ? "/" : "", file) < size;
}

/* To be given back to file_forget(). */
static int read_pem(const struct web_pem *pem, const char *directory,
		    gnutls_datum_t *ret_pem, char reason[TLS_REASON_MAX])
{
	char path[PATH_MAX], *data;
	size_t len;
	int r;

	if (pem->text) {
		data = strdup(pem->text);
		len = strlen(pem->text);
		r = data ? 0 : -ENOMEM;
		strcpy(path, "the configuration");
	} else if (!tls_file(pem, directory, path, sizeof(path))) {
		r = -ENAMETOOLONG;
	} else {
		r = file_read(path, PEM_BYTES_MAX, &data, &len);
	}
	if (r < 0)
		snprintf(reason, TLS_REASON_MAX, "%.300s: %s", path, strerror(-r));
	else
		*ret_pem = (gnutls_datum_t){ (unsigned char *)data, len };
	return r;
}

static void forget(gnutls_datum_t *pem)
{
	file_forget((char *)pem->data, pem->size);
}

static int load_pair(struct tls *tls, const char *directory, char reason[TLS_REASON_MAX])
{
	const struct web_tls *settings = tls->settings;
	gnutls_datum_t cert = { NULL, 0 }, key = { NULL, 0 };
	int r = read_pem(&settings->cert, directory, &cert, reason);

	if (!r)
		r = read_pem(&settings->key, directory, &key, reason);
	if (!r) {
		r = gnutls_certificate_set_x509_key_mem(tls->credentials, &cert, &key,
							GNUTLS_X509_FMT_PEM);
		if (r < 0)
			snprintf(reason, TLS_REASON_MAX, "%.200s and %.200s: %s",
				 settings->cert.file ? settings->cert.file : "cert",
				 settings->key.file ? settings->key.file : "key",
				 gnutls_strerror(r));
		r = r < 0 ? -EINVAL : 0;
	}
	forget(&cert);
	forget(&key);
	return r;
}

static int load_authorities(struct tls *tls, const char *directory,
			    char reason[TLS_REASON_MAX])
{
	const struct web_pem *pem = &tls->settings->client_ca;
	gnutls_datum_t authorities = { NULL, 0 };
	int r;

	if (!pem->text && !(pem->file && *pem->file))
		return 0;
	r = read_pem(pem, directory, &authorities, reason);
	if (r < 0)
		return r;
	r = gnutls_certificate_set_x509_trust_mem(tls->credentials, &authorities,
						  GNUTLS_X509_FMT_PEM);
	forget(&authorities);
	if (r > 0)
		return 0;
	snprintf(reason, TLS_REASON_MAX, "%.300s: %s", pem->file ? pem->file : "client_ca",
		 r ? gnutls_strerror(r) : "no certificate in it");
	return -EINVAL;
}

static const gnutls_certificate_request_t requests[] = {
	[WEB_CLIENT_NONE] = GNUTLS_CERT_IGNORE,
	[WEB_CLIENT_REQUEST] = GNUTLS_CERT_REQUEST,
	[WEB_CLIENT_REQUIRE_ANY] = GNUTLS_CERT_REQUIRE,
	[WEB_CLIENT_VERIFY_IF_GIVEN] = GNUTLS_CERT_REQUEST,
	[WEB_CLIENT_REQUIRE_AND_VERIFY] = GNUTLS_CERT_REQUIRE,
};

int tls_init(struct tls *tls, const struct web_tls *settings, const char *directory,
	     char reason[TLS_REASON_MAX])
{
	int r;

	*tls = (struct tls){
		.settings = settings,
		.request = requests[settings->client_auth],
		.verifies = settings->client_auth >= WEB_CLIENT_VERIFY_IF_GIVEN,
	};
	if (gnutls_certificate_allocate_credentials(&tls->credentials) < 0) {
		snprintf(reason, TLS_REASON_MAX, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	r = load_pair(tls, directory, reason);
	if (!r)
		r = load_authorities(tls, directory, reason);
	if (!r)
		r = init_priority(tls, reason);
	if (r < 0)
		tls_exit(tls);
	return r;
}

void tls_exit(struct tls *tls)
{
	if (tls->priority)
		gnutls_priority_deinit(tls->priority);
	if (tls->credentials)
		gnutls_certificate_free_credentials(tls->credentials);
	*tls = (struct tls){ .priority = NULL };
}

/* ---- Clients' certificates ----------------------------------------------- */

static bool same_address(const char *allowed, const unsigned char *address, size_t len)
{
	unsigned char bytes[16];
	int family = len == 4 ? AF_INET : AF_INET6;

	return (len == 4 || len == 16) && inet_pton(family, allowed, bytes) == 1 &&
	       !memcmp(bytes, address, len);
}

static bool name_allowed(const struct web_tls *settings, unsigned int type,
			 const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < settings->nr_sans; i++) {
		switch (type) {
		case GNUTLS_SAN_DNSNAME:
		case GNUTLS_SAN_RFC822NAME:
		case GNUTLS_SAN_URI:
			if (strlen(settings->san[i]) == len &&
			    !memcmp(settings->san[i], name, len))
				return true;
			break;
		case GNUTLS_SAN_IPADDRESS:
			if (same_address(settings->san[i], (const unsigned char *)name, len))
				return true;
			break;
		}
	}
	return false;
}

static bool any_name_allowed(const struct web_tls *settings, gnutls_x509_crt_t crt)
{
	unsigned int i, type;
	char name[SAN_MAX];
	size_t len;
	int r;

	for (i = 0; ; i++) {
		len = sizeof(name);
		r = gnutls_x509_crt_get_subject_alt_name2(crt, i, name, &len, &type, NULL);
		if (r == GNUTLS_E_SHORT_MEMORY_BUFFER)
			continue;	/* longer than any that is allowed */
		if (r < 0)
			return false;
		if (name_allowed(settings, type, name, len))
			return true;
	}
}

static bool peer_allowed(const struct web_tls *settings, gnutls_session_t session)
{
	const gnutls_datum_t *chain;
	gnutls_x509_crt_t crt;
	unsigned int nr = 0;
	bool allowed;

	if (!settings->nr_sans)
		return true;
	chain = gnutls_certificate_get_peers(session, &nr);
	if (!nr || gnutls_x509_crt_init(&crt) < 0)
		return false;
	allowed = gnutls_x509_crt_import(crt, chain, GNUTLS_X509_FMT_DER) >= 0 &&
		  any_name_allowed(settings, crt);
	gnutls_x509_crt_deinit(crt);
	return allowed;
}

/* Called in the handshake if the client sent a certificate. Not 0 ends it. */
static int verify(gnutls_session_t session)
{
	const struct tls *tls = gnutls_session_get_ptr(session);
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	unsigned int nr = 0, status = 0;

	if (!gnutls_certificate_get_peers(session, &nr) || !nr)
		return 0;	/* whether it may do without is GnuTLS' to say */
	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0 || status)
		return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
	return peer_allowed(tls->settings, session) ? 0 :
	       GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

int tls_apply(const struct tls *tls, gnutls_session_t session)
{
	if (gnutls_priority_set(session, tls->priority) < 0 ||
	    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials) < 0)
		return -EIO;
	gnutls_certificate_server_set_request(session, tls->request);
	gnutls_session_set_ptr(session, (void *)tls);
	if (tls->verifies)
		gnutls_session_set_verify_function(session, verify);
	return 0;
}
