// SPDX-License-Identifier: MIT
#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "webconfig.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* ---- tls_server_config --------------------------------------------------- */

static const struct {
	const char *name;
	enum web_client_auth auth;
} client_auths[] = {
	{ "", WEB_CLIENT_NONE },
	{ "NoClientCert", WEB_CLIENT_NONE },
	{ "RequestClientCert", WEB_CLIENT_REQUEST },
	{ "RequireAnyClientCert", WEB_CLIENT_REQUIRE_ANY },
	{ "RequireClientCert", WEB_CLIENT_REQUIRE_ANY },
	{ "VerifyClientCertIfGiven", WEB_CLIENT_VERIFY_IF_GIVEN },
	{ "RequireAndVerifyClientCert", WEB_CLIENT_REQUIRE_AND_VERIFY },
};

static const char *const versions[] = {
	[WEB_TLS10] = "TLS10",
	[WEB_TLS11] = "TLS11",
	[WEB_TLS12] = "TLS12",
	[WEB_TLS13] = "TLS13",
};

static const struct web_suite suites[] = {
	{ "TLS_AES_128_GCM_SHA256", 0x1301, NULL, "AES-128-GCM", "AEAD" },
	{ "TLS_AES_256_GCM_SHA384", 0x1302, NULL, "AES-256-GCM", "AEAD" },
	{ "TLS_CHACHA20_POLY1305_SHA256", 0x1303, NULL, "CHACHA20-POLY1305", "AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b, "ECDHE-ECDSA",
	  "AES-128-GCM", "AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c, "ECDHE-ECDSA",
	  "AES-256-GCM", "AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9, "ECDHE-ECDSA",
	  "CHACHA20-POLY1305", "AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", 0xcca9, "ECDHE-ECDSA",
	  "CHACHA20-POLY1305", "AEAD" },
	{ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f, "ECDHE-RSA",
	  "AES-128-GCM", "AEAD" },
	{ "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030, "ECDHE-RSA",
	  "AES-256-GCM", "AEAD" },
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8, "ECDHE-RSA",
	  "CHACHA20-POLY1305", "AEAD" },
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", 0xcca8, "ECDHE-RSA",
	  "CHACHA20-POLY1305", "AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 0xc009, "ECDHE-ECDSA",
	  "AES-128-CBC", "SHA1" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", 0xc00a, "ECDHE-ECDSA",
	  "AES-256-CBC", "SHA1" },
	{ "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", 0xc013, "ECDHE-RSA",
	  "AES-128-CBC", "SHA1" },
	{ "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 0xc014, "ECDHE-RSA",
	  "AES-256-CBC", "SHA1" },
	{ "TLS_RSA_WITH_AES_128_GCM_SHA256", 0x009c, "RSA", "AES-128-GCM", "AEAD" },
	{ "TLS_RSA_WITH_AES_256_GCM_SHA384", 0x009d, "RSA", "AES-256-GCM", "AEAD" },
	{ "TLS_RSA_WITH_AES_128_CBC_SHA", 0x002f, "RSA", "AES-128-CBC", "SHA1" },
	{ "TLS_RSA_WITH_AES_256_CBC_SHA", 0x0035, "RSA", "AES-256-CBC", "SHA1" },
};

static const struct web_curve curves[] = {
	{ "CurveP256", "GROUP-SECP256R1" },
	{ "CurveP384", "GROUP-SECP384R1" },
	{ "CurveP521", "GROUP-SECP521R1" },
	{ "X25519", "GROUP-X25519" },
};

static int take_client_auth(struct conf *conf, const yaml_node_t *value, void *target)
{
	const char *text = conf_text(conf, value);
	size_t i;

	for (i = 0; text && i < NR(client_auths); i++) {
		if (strcmp(text, client_auths[i].name))
			continue;
		*(enum web_client_auth *)target = client_auths[i].auth;
		return 0;
	}
	return text ? conf_fail(conf, value, "no such client_auth_type: %.60s", text) :
		      -EINVAL;
}

static int take_version(struct conf *conf, const yaml_node_t *value, void *target)
{
	const char *text = conf_text(conf, value);
	size_t i;

	for (i = 0; text && i < NR(versions); i++) {
		if (strcmp(text, versions[i]))
			continue;
		*(enum web_version *)target = i;
		return 0;
	}
	return text ? conf_fail(conf, value, "no such TLS version: %.60s", text) : -EINVAL;
}

static int take_san(struct conf *conf, const yaml_node_t *item, void *target)
{
	const char *text = conf_text(conf, item);
	struct web_tls *tls = target;

	if (!text)
		return -EINVAL;
	if (tls->nr_sans == WEB_SANS_MAX)
		return conf_fail(conf, item, "too many names");
	tls->san[tls->nr_sans++] = text;
	return 0;
}

static int take_suite(struct conf *conf, const yaml_node_t *item, void *target)
{
	const char *text = conf_text(conf, item);
	struct web_tls *tls = target;
	size_t i;

	if (text && tls->nr_suites == WEB_SUITES_MAX)
		return conf_fail(conf, item, "too many cipher suites");
	for (i = 0; text && i < NR(suites); i++) {
		if (strcmp(text, suites[i].name))
			continue;
		tls->suite[tls->nr_suites++] = &suites[i];
		return 0;
	}
	return text ? conf_fail(conf, item, "no such cipher suite: %.60s", text) : -EINVAL;
}

static int take_curve(struct conf *conf, const yaml_node_t *item, void *target)
{
	const char *text = conf_text(conf, item);
	struct web_tls *tls = target;
	size_t i;

	if (text && tls->nr_curves == WEB_CURVES_MAX)
		return conf_fail(conf, item, "too many curves");
	for (i = 0; text && i < NR(curves); i++) {
		if (strcmp(text, curves[i].name))
			continue;
		tls->curve[tls->nr_curves++] = &curves[i];
		return 0;
	}
	return text ? conf_fail(conf, item, "no such curve: %.60s", text) : -EINVAL;
}

static int take_sans(struct conf *conf, const yaml_node_t *value, void *target)
{
	return conf_each_item(conf, value, take_san, target);
}

static int take_suites(struct conf *conf, const yaml_node_t *value, void *target)
{
	return conf_each_item(conf, value, take_suite, target);
}

static int take_curves(struct conf *conf, const yaml_node_t *value, void *target)
{
	return conf_each_item(conf, value, take_curve, target);
}

#define TLS(member) offsetof(struct web_tls, member)

static const struct conf_key tls_keys[] = {
	{ "cert", conf_take_text, TLS(cert.text) },
	{ "cert_file", conf_take_text, TLS(cert.file) },
	{ "key", conf_take_text, TLS(key.text) },
	{ "key_file", conf_take_text, TLS(key.file) },
	{ "client_ca", conf_take_text, TLS(client_ca.text) },
	{ "client_ca_file", conf_take_text, TLS(client_ca.file) },
	{ "client_auth_type", take_client_auth, TLS(client_auth) },
	{ "client_allowed_sans", take_sans, 0 },
	{ "min_version", take_version, TLS(min_version) },
	{ "max_version", take_version, TLS(max_version) },
	{ "cipher_suites", take_suites, 0 },
	{ "curve_preferences", take_curves, 0 },
	{ "prefer_server_cipher_suites", conf_take_bool, TLS(prefer_server) },
};

static bool given(const struct web_pem *pem)
{
	return pem->text || (pem->file && *pem->file);
}

static int check_pem(struct conf *conf, const yaml_node_t *node,
		     const struct web_pem *pem, const char *name, bool needed)
{
	if (pem->text && pem->file)
		return conf_fail(conf, node, "both %s and %s_file", name, name);
	if (needed && !given(pem))
		return conf_fail(conf, node, "no %s_file", name);
	return 0;
}

static int check_tls(struct conf *conf, const yaml_node_t *node, const struct web_tls *tls)
{
	bool verifies = tls->client_auth >= WEB_CLIENT_VERIFY_IF_GIVEN;

	if (check_pem(conf, node, &tls->cert, "cert", true) ||
	    check_pem(conf, node, &tls->key, "key", true) ||
	    check_pem(conf, node, &tls->client_ca, "client_ca", verifies))
		return -EINVAL;
	if (given(&tls->client_ca) && tls->client_auth == WEB_CLIENT_NONE)
		return conf_fail(conf, node, "a client_ca without a client_auth_type");
	if (tls->nr_sans && !verifies)
		return conf_fail(conf, node, "client_allowed_sans without a "
				 "client_auth_type that verifies");
	if (tls->min_version > tls->max_version)
		return conf_fail(conf, node, "min_version is above max_version");
	return 0;
}

static int take_tls(struct conf *conf, const yaml_node_t *value, void *target)
{
	struct web_tls *tls = target;
	int r;

	*tls = (struct web_tls){
		.line = value->start_mark.line + 1,
		.min_version = WEB_TLS12,
		.max_version = WEB_TLS13,
		.prefer_server = true,
	};
	r = conf_map(conf, value, tls_keys, NR(tls_keys), tls);
	if (!r)
		r = check_tls(conf, value, tls);
	tls->on = !r;
	return r;
}

/* ---- http_server_config -------------------------------------------------- */

/* Those that may be set, and to what, if not to anything. */
static const struct {
	const char *name;
	const char *values[3];
} headers[] = {
	{ "Content-Security-Policy", { NULL } },
	{ "Strict-Transport-Security", { NULL } },
	{ "X-Content-Type-Options", { "nosniff", NULL } },
	{ "X-Frame-Options", { "deny", "sameorigin", NULL } },
	{ "X-XSS-Protection", { NULL } },
};

_Static_assert(NR(headers) <= WEB_HEADERS_MAX, "struct web_config has room for all");

static bool is_among(const char *value, const char *const *values)
{
	unsigned int i;

	for (i = 0; values[i]; i++)
		if (!strcasecmp(value, values[i]))
			return true;
	return !i;
}

/* What would end a header's line, or what HTTP does not let into it. */
static bool is_header_value(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < ' ' || *value == 0x7f)
			return false;
	return true;
}

static int take_header(struct conf *conf, const char *key, const yaml_node_t *value,
		       void *target)
{
	const char *text = conf_text(conf, value);
	struct web_config *config = target;
	size_t i;

	if (!text)
		return -EINVAL;
	for (i = 0; i < NR(headers); i++)
		if (!strcasecmp(key, headers[i].name))
			break;
	if (i == NR(headers) || config->nr_headers == WEB_HEADERS_MAX)
		return conf_fail(conf, value, "header %.60s can't be set", key);
	if (!is_among(text, headers[i].values) || !is_header_value(text))
		return conf_fail(conf, value, "header %.60s has a bad value", key);
	if (*text)
		config->header[config->nr_headers++] = (struct web_header){
			.name = headers[i].name, .value = text };
	return 0;
}

static int take_headers(struct conf *conf, const yaml_node_t *value, void *target)
{
	return conf_each_pair(conf, value, take_header, target);
}

static int take_http2(struct conf *conf, const yaml_node_t *value, void *target)
{
	struct web_config *config = target;

	return conf_take_bool(conf, value, &config->http2);
}

static const struct conf_key http_keys[] = {
	{ "http2", take_http2, 0 },
	{ "headers", take_headers, 0 },
};

static int take_http(struct conf *conf, const yaml_node_t *value, void *target)
{
	return conf_map(conf, value, http_keys, NR(http_keys), target);
}

/* ---- basic_auth_users ---------------------------------------------------- */

/* $2b$10$ and 53 characters, of which 22 are the salt. */
static bool is_bcrypt(const char *hash)
{
	static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz";

	return strlen(hash) == 60 && !strncmp(hash, "$2", 2) && strchr("aby", hash[2]) &&
	       hash[3] == '$' && hash[6] == '$' && strspn(hash + 7, alphabet) == 53 &&
	       crypt_checksalt(hash) == CRYPT_SALT_OK;
}

static int take_user(struct conf *conf, const char *key, const yaml_node_t *value,
		     void *target)
{
	const char *text = conf_text(conf, value);
	struct web_config *config = target;

	if (!text)
		return -EINVAL;
	if (!*key || strchr(key, ':'))
		return conf_fail(conf, value, "a user's name is empty or has a colon");
	if (!is_bcrypt(text))
		return conf_fail(conf, value, "the password of %.60s is no bcrypt hash", key);
	config->user[config->nr_users++] = (struct web_user){ .name = key, .hash = text };
	return 0;
}

static int take_users(struct conf *conf, const yaml_node_t *value, void *target)
{
	struct web_config *config = target;

	if (value->type == YAML_MAPPING_NODE &&
	    value->data.mapping.pairs.top - value->data.mapping.pairs.start > WEB_USERS_MAX)
		return conf_fail(conf, value, "too many users");
	config->user = calloc(WEB_USERS_MAX, sizeof(*config->user));
	if (!config->user)
		return conf_fail(conf, value, "%s", strerror(ENOMEM));
	return conf_each_pair(conf, value, take_user, config);
}

/* ---- rate_limit ---------------------------------------------------------- */

#define DURATION_MAX_NS (24 * 3600 * 1000000000ULL)

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
	{ "m", 60 * 1000000000ULL }, { "h", 3600 * 1000000000ULL },
};

/* Behind a number: its unit, which ends where the next number begins. */
static uint64_t take_unit(const char **text)
{
	size_t len = strcspn(*text, "0123456789"), i;

	for (i = 0; i < NR(units); i++) {
		if (strlen(units[i].name) != len || strncmp(*text, units[i].name, len))
			continue;
		*text += len;
		return units[i].ns;
	}
	return 0;
}

/* As Go writes durations, of whole numbers: 1s, 500ms, 1m30s. */
static int take_duration(struct conf *conf, const yaml_node_t *value, void *target)
{
	const char *text = conf_text(conf, value), *at = text;
	uint64_t number, unit, sum = 0;

	if (!text)
		return -EINVAL;
	do {
		for (number = 0; *at >= '0' && *at <= '9' && number < DURATION_MAX_NS; at++)
			number = number * 10 + *at - '0';
		unit = at > text ? take_unit(&at) : 0;
		if (!unit || number > DURATION_MAX_NS / unit)
			return conf_fail(conf, value, "no duration: %.60s", text);
		sum += number * unit;
	} while (*at && sum <= DURATION_MAX_NS);
	if (sum > DURATION_MAX_NS)
		return conf_fail(conf, value, "more than a day: %.60s", text);
	*(uint64_t *)target = sum;
	return 0;
}

static int take_burst(struct conf *conf, const yaml_node_t *value, void *target)
{
	const char *text = conf_text(conf, value);

	if (!text)
		return -EINVAL;
	if (!*text || strlen(text) > 6 || strspn(text, "0123456789") != strlen(text))
		return conf_fail(conf, value, "no number up to 999999: %.60s", text);
	*(unsigned int *)target = strtoul(text, NULL, 10);
	return 0;
}

static const struct conf_key rate_keys[] = {
	{ "interval", take_duration, offsetof(struct web_rate, interval_ns) },
	{ "burst", take_burst, offsetof(struct web_rate, burst) },
};

static int take_rate(struct conf *conf, const yaml_node_t *value, void *target)
{
	struct web_rate *rate = target;
	int r = conf_map(conf, value, rate_keys, NR(rate_keys), rate);

	if (!r && rate->interval_ns && !rate->burst)
		return conf_fail(conf, value, "an interval without a burst lets nothing in");
	return r;
}

/* ---- All of it ----------------------------------------------------------- */

static const struct conf_key keys[] = {
	{ "tls_server_config", take_tls, offsetof(struct web_config, tls) },
	{ "http_server_config", take_http, 0 },
	{ "basic_auth_users", take_users, 0 },
	{ "rate_limit", take_rate, offsetof(struct web_config, rate) },
};

static int take_all(struct web_config *config)
{
	const yaml_node_t *root = conf_root(&config->conf);
	int r = 0;

	if (root)
		r = conf_map(&config->conf, root, keys, NR(keys), config);
	if (r < 0)
		web_config_free(config);
	return r;
}

int web_config_parse(struct web_config *config, const char *name, const char *data,
		     size_t len)
{
	int r;

	*config = (struct web_config){ .http2 = false };
	r = conf_parse(&config->conf, name, data, len);
	return r < 0 ? r : take_all(config);
}

int web_config_load(struct web_config *config, const char *path)
{
	int r;

	*config = (struct web_config){ .http2 = false };
	r = conf_load(&config->conf, path);
	return r < 0 ? r : take_all(config);
}

void web_config_free(struct web_config *config)
{
	free(config->user);
	config->user = NULL;
	conf_free(&config->conf);
}
