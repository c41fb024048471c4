// SPDX-License-Identifier: MIT
/*
 * What obsringd reads of others to decide who may come in: the web configuration,
 * the header Authorization, passwords, time-outs; and that a configuration is
 * replaced or kept as a whole.
 */
#include <crypt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "obsringd/auth.h"
#include "obsringd/basic.h"
#include "obsringd/clients.h"
#include "obsringd/web.h"
#include "obsringd/webconfig.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define NS_PER_S 1000000000ULL

/* Of "secret", at the least cost there is. */
#define HASH "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"

/* ---- The file ------------------------------------------------------------ */

static int parse(struct web_config *config, const char *text)
{
	return web_config_parse(config, "web.yml", text, strlen(text));
}

static void test_config(void **state)
{
	struct web_config config;

	(void)state;
	assert_int_equal(parse(&config,
		"tls_server_config:\n"
		"  cert_file: cert.pem\n"
		"  key_file: /etc/key.pem\n"
		"  client_ca_file: ca.pem\n"
		"  client_auth_type: RequireAndVerifyClientCert\n"
		"  client_allowed_sans: [a.example, 10.0.0.1]\n"
		"  min_version: TLS12\n"
		"  max_version: TLS12\n"
		"  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n"
		"  curve_preferences:\n"
		"  - X25519\n"
		"  - CurveP256\n"
		"  prefer_server_cipher_suites: false\n"
		"http_server_config:\n"
		"  http2: true\n"
		"  headers:\n"
		"    x-frame-options: deny\n"
		"    Strict-Transport-Security: max-age=1\n"
		"basic_auth_users:\n"
		"  alice: " HASH "\n"), 0);
	assert_true(config.tls.on);
	assert_string_equal(config.tls.cert.file, "cert.pem");
	assert_string_equal(config.tls.key.file, "/etc/key.pem");
	assert_int_equal(config.tls.client_auth, WEB_CLIENT_REQUIRE_AND_VERIFY);
	assert_int_equal(config.tls.nr_sans, 2);
	assert_string_equal(config.tls.san[1], "10.0.0.1");
	assert_int_equal(config.tls.min_version, WEB_TLS12);
	assert_int_equal(config.tls.max_version, WEB_TLS12);
	assert_int_equal(config.tls.nr_suites, 1);
	assert_int_equal(config.tls.suite[0]->id, 0xc02f);
	assert_int_equal(config.tls.nr_curves, 2);
	assert_string_equal(config.tls.curve[0]->group, "GROUP-X25519");
	assert_false(config.tls.prefer_server);
	assert_true(config.http2);
	assert_int_equal(config.nr_headers, 2);
	assert_string_equal(config.header[0].name, "X-Frame-Options");
	assert_int_equal(config.nr_users, 1);
	assert_string_equal(config.user[0].name, "alice");
	web_config_free(&config);
}

static void test_config_defaults(void **state)
{
	static const char *const empty[] = {
		"", "# nothing\n", "{}\n", "tls_server_config:\n",
		"basic_auth_users: {}\nhttp_server_config: ~\n",
	};
	struct web_config config;
	size_t i;

	(void)state;
	for (i = 0; i < NR(empty); i++) {
		assert_int_equal(parse(&config, empty[i]), 0);
		assert_false(config.tls.on || config.nr_users || config.nr_headers ||
			     config.http2);
		web_config_free(&config);
	}
	assert_int_equal(parse(&config, "tls_server_config: {cert: C, key: K}\n"), 0);
	assert_int_equal(config.tls.min_version, WEB_TLS12);
	assert_int_equal(config.tls.max_version, WEB_TLS13);
	assert_int_equal(config.tls.client_auth, WEB_CLIENT_NONE);
	assert_true(config.tls.prefer_server);
	web_config_free(&config);
}

#define PAIR "cert_file: c, key_file: k"

static const struct {
	const char *text, *reason;
} bad[] = {
	{ "[]", "web.yml:1: a mapping is wanted here" },
	{ "a: [", "web.yml:2: did not find expected node content" },
	{ "\n\nnothing: 1\n", "web.yml:3: no such key: nothing" },
	{ "{}\n---\n{}\n", "web.yml:3: a second document" },
	{ "tls_server_config: {}\ntls_server_config: {}\n",
	  "web.yml:2: tls_server_config is there twice" },
	{ "tls_server_config: {}", "web.yml:1: no cert_file" },
	{ "tls_server_config: {cert_file: c}", "web.yml:1: no key_file" },
	{ "tls_server_config: {" PAIR ", cert: x}", "web.yml:1: both cert and cert_file" },
	{ "tls_server_config: {" PAIR ", cert_file: x}",
	  "web.yml:1: cert_file is there twice" },
	{ "tls_server_config: {" PAIR ", client_auth_type: Any}",
	  "web.yml:1: no such client_auth_type: Any" },
	{ "tls_server_config: {" PAIR ", client_auth_type: RequireAndVerifyClientCert}",
	  "web.yml:1: no client_ca_file" },
	{ "tls_server_config: {" PAIR ", client_ca_file: x}",
	  "web.yml:1: a client_ca without a client_auth_type" },
	{ "tls_server_config: {" PAIR ", client_allowed_sans: [x]}",
	  "web.yml:1: client_allowed_sans without a client_auth_type that verifies" },
	{ "tls_server_config: {" PAIR ", min_version: TLS13, max_version: TLS12}",
	  "web.yml:1: min_version is above max_version" },
	{ "tls_server_config: {" PAIR ", min_version: SSL30}",
	  "web.yml:1: no such TLS version: SSL30" },
	{ "tls_server_config: {" PAIR ", cipher_suites: [RC4]}",
	  "web.yml:1: no such cipher suite: RC4" },
	{ "tls_server_config: {" PAIR ", cipher_suites: X}", "web.yml:1: a list is wanted here" },
	{ "tls_server_config: {" PAIR ", curve_preferences: [P1]}",
	  "web.yml:1: no such curve: P1" },
	{ "tls_server_config: {" PAIR ", prefer_server_cipher_suites: 1}",
	  "web.yml:1: not true or false" },
	{ "tls_server_config: {cert_file: \"a\\0b\", key_file: k}",
	  "web.yml:1: a text with a NUL in it" },
	{ "http_server_config: {headers: {Server: x}}",
	  "web.yml:1: header Server can't be set" },
	{ "http_server_config: {headers: {X-Frame-Options: allow}}",
	  "web.yml:1: header X-Frame-Options has a bad value" },
	{ "http_server_config: {headers: {Content-Security-Policy: \"a\\r\\nSet-Cookie: b\"}}",
	  "web.yml:1: header Content-Security-Policy has a bad value" },
	{ "basic_auth_users: {alice: secret}",
	  "web.yml:1: the password of alice is no bcrypt hash" },
	{ "basic_auth_users: {alice: $1$abcdefgh$irWbblnpmw.5z7wgBnprh0}",
	  "web.yml:1: the password of alice is no bcrypt hash" },
	{ "basic_auth_users: {'a:b': " HASH "}",
	  "web.yml:1: a user's name is empty or has a colon" },
	{ "basic_auth_users: [alice]", "web.yml:1: a mapping is wanted here" },
	{ "rate_limit: {interval: 1}", "web.yml:1: no duration: 1" },
	{ "rate_limit: {interval: 1.5s, burst: 1}", "web.yml:1: no duration: 1.5s" },
	{ "rate_limit: {interval: s, burst: 1}", "web.yml:1: no duration: s" },
	{ "rate_limit: {interval: -1s, burst: 1}", "web.yml:1: no duration: -1s" },
	{ "rate_limit: {interval: 25h, burst: 1}", "web.yml:1: no duration: 25h" },
	{ "rate_limit: {interval: 20h20h, burst: 1}", "web.yml:1: more than a day: 20h20h" },
	{ "rate_limit: {interval: 99999999999999999999h, burst: 1}",
	  "web.yml:1: no duration: 99999999999999999999h" },
	{ "rate_limit: {interval: 1s}",
	  "web.yml:1: an interval without a burst lets nothing in" },
	{ "rate_limit: {burst: x}", "web.yml:1: no number up to 999999: x" },
	{ "? [a]\n: b\n", "web.yml:1: a text is wanted here" },
};

static void test_config_refused(void **state)
{
	struct web_config config;
	size_t i;

	(void)state;
	for (i = 0; i < NR(bad); i++) {
		assert_true(parse(&config, bad[i].text) < 0);
		assert_string_equal(config.conf.reason, bad[i].reason);
	}
}

/* Aliases of aliases are as many nodes as were written, not as they stand for. */
static void test_config_bomb(void **state)
{
	char text[4096] = "a: &a [x, x, x, x, x, x, x, x]\n", line[128], c;
	struct web_config config;
	clock_t start = clock();

	(void)state;
	for (c = 'b'; c <= 'z'; c++) {
		snprintf(line, sizeof(line), "%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c]\n",
			 c, c, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
		strcat(text, line);
	}
	assert_true(parse(&config, text) < 0);
	assert_string_equal(config.conf.reason, "web.yml:1: no such key: a");
	assert_true(clock() - start < CLOCKS_PER_SEC);
}

static void test_rate(void **state)
{
	struct web web = { .references = 1 };
	int i;

	(void)state;
	assert_int_equal(parse(&web.config, "rate_limit: {interval: 1m1s500ms, burst: 3}"), 0);
	assert_true(web.config.rate.interval_ns == 61500000000ULL);
	for (i = 0; i < 3; i++)
		assert_true(web_take_rate(&web));
	assert_false(web_take_rate(&web));
	assert_false(web_take_rate(&web));
	/* An interval later there is one more, and however long after it a burst. */
	web.due_ns -= web.config.rate.interval_ns;
	assert_true(web_take_rate(&web));
	assert_false(web_take_rate(&web));
	web.due_ns = 0;
	for (i = 0; i < 3; i++)
		assert_true(web_take_rate(&web));
	assert_false(web_take_rate(&web));
	web_config_free(&web.config);
	assert_int_equal(parse(&web.config, "{}"), 0);
	for (i = 0; i < 1000; i++)
		assert_true(web_take_rate(&web));
	web_config_free(&web.config);
}

/* ---- Authorization ------------------------------------------------------- */

static const struct {
	const char *header, *name, *password;
} basics[] = {
	{ "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame" },
	{ "basic   YTpi", "a", "b" },
	{ "BASIC YTpi  ", "a", "b" },
	{ "Basic Og==", "", "" },
	{ "Basic YTpiOmM=", "a", "b:c" },
	{ "Basic dGVzdDoxMjPCow==", "test", "123\xc2\xa3" },
};

static const char *const bad_basics[] = {
	"", "Basic", "Basic ", "Bearer YTpi", "BasicYTpi", "Basic YTp", "Basic YTpi=",
	"Basic YTpiYw===", "Basic YQ==",	/* no colon */
	"Basic YTpi YTpi", "Basic YT*i", "Basic YTpi\n", "Basic AAAA", "Basic YTo=YTpi",
	"Basic YTpjZB==",	/* bits behind the end */
	"Basic =", "Basic ====", "Basic YTo\xff",
};

static void test_basic(void **state)
{
	struct basic basic;
	size_t i;

	(void)state;
	for (i = 0; i < NR(basics); i++) {
		assert_true(basic_parse(basics[i].header, &basic));
		assert_string_equal(basic.name, basics[i].name);
		assert_string_equal(basic.password, basics[i].password);
	}
	for (i = 0; i < NR(bad_basics); i++)
		if (basic_parse(bad_basics[i], &basic))
			fail_msg("%s", bad_basics[i]);
}

static void test_basic_too_long(void **state)
{
	char header[1024] = "Basic Ojpi";
	struct basic basic;
	size_t nr = 3;

	(void)state;
	while (nr + 3 <= BASIC_BYTES_MAX) {
		strcat(header, "YWFh");
		nr += 3;
	}
	assert_true(basic_parse(header, &basic));
	strcat(header, "YWFh");
	assert_false(basic_parse(header, &basic));
}

static void test_timeout(void **state)
{
	(void)state;
	assert_true(client_timeout("10") == 10 * NS_PER_S);
	assert_true(client_timeout("9.5") == 9500000000ULL);
	assert_true(client_timeout("0.000000001") == 1);
	assert_true(client_timeout("0.0000000001") == 0);
	assert_true(client_timeout("99999999999999999999") == 3600 * NS_PER_S);
	assert_true(client_timeout(NULL) == 0);
	assert_true(client_timeout("") == 0);
	assert_true(client_timeout("-1") == 0);
	assert_true(client_timeout("1e3") == 0);
	assert_true(client_timeout("nan") == 0);
	assert_true(client_timeout("1s") == 0);
	assert_true(client_timeout(".5") == 0);
}

/* ---- Passwords ----------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t told;
	unsigned int waits, verdicts;
	enum auth_verdict last;
} asked = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0 };

static void count_wait(void *who)
{
	(void)who;
	pthread_mutex_lock(&asked.lock);
	asked.waits++;
	pthread_mutex_unlock(&asked.lock);
}

static void take_verdict(void *who, enum auth_verdict verdict)
{
	(void)who;
	pthread_mutex_lock(&asked.lock);
	asked.verdicts++;
	asked.last = verdict;
	pthread_cond_signal(&asked.told);
	pthread_mutex_unlock(&asked.lock);
}

static void web_of(struct web *web, const char *text)
{
	*web = (struct web){ .references = 1 };
	assert_int_equal(parse(&web->config, text), 0);
}

/* The verdict, waited for. */
static enum auth_verdict ask(struct auth *auth, struct web *web, const char *header)
{
	unsigned int before = asked.verdicts;
	enum auth_verdict verdict = auth_check(auth, web, header, NULL, NULL);

	if (verdict != AUTH_WAIT)
		return verdict;
	pthread_mutex_lock(&asked.lock);
	while (asked.verdicts == before)
		pthread_cond_wait(&asked.told, &asked.lock);
	verdict = asked.last;
	pthread_mutex_unlock(&asked.lock);
	return verdict;
}

#define ALICE_SECRET	"Basic YWxpY2U6c2VjcmV0"
#define ALICE_WRONG	"Basic YWxpY2U6d3Jvbmc="
#define MALLORY_SECRET	"Basic bWFsbG9yeTpzZWNyZXQ="

static void test_passwords(void **state)
{
	struct auth auth;
	struct web web, open;
	int i;

	(void)state;
	web_of(&web, "basic_auth_users: {alice: " HASH "}");
	web_of(&open, "{}");
	assert_int_equal(auth_init(&auth, count_wait, take_verdict), 0);
	assert_int_equal(ask(&auth, &open, NULL), AUTH_GRANTED);
	assert_int_equal(ask(&auth, &web, NULL), AUTH_DENIED);
	assert_int_equal(ask(&auth, &web, "Basic !"), AUTH_DENIED);
	assert_int_equal(auth.nr_hashed, 0);
	assert_int_equal(ask(&auth, &web, ALICE_WRONG), AUTH_DENIED);
	assert_int_equal(ask(&auth, &web, ALICE_SECRET), AUTH_GRANTED);
	assert_int_equal(auth.nr_hashed, 2);
	/* One that was right costs nothing more; one that was wrong does. */
	for (i = 0; i < 100; i++)
		assert_int_equal(ask(&auth, &web, ALICE_SECRET), AUTH_GRANTED);
	assert_int_equal(auth.nr_hashed, 2);
	assert_int_equal(ask(&auth, &web, ALICE_WRONG), AUTH_DENIED);
	/* A name that is not there takes as long, and its password is as right. */
	assert_int_equal(ask(&auth, &web, MALLORY_SECRET), AUTH_DENIED);
	assert_int_equal(auth.nr_hashed, 4);
	auth_exit(&auth);
	assert_int_equal(web.references, 1);
	web_config_free(&web.config);
	web_config_free(&open.config);
}

/* Another hash of the same name: what was known is not. */
static void test_password_changes(void **state)
{
	char text[128], setting[] = "$2b$04$zzzzzzzzzzzzzzzzzzzzzu";
	struct crypt_data data = { .initialized = 0 };
	struct web old, new;
	struct auth auth;

	(void)state;
	snprintf(text, sizeof(text), "basic_auth_users: {alice: %s}",
		 crypt_r("other", setting, &data));
	web_of(&old, "basic_auth_users: {alice: " HASH "}");
	web_of(&new, text);
	assert_int_equal(auth_init(&auth, count_wait, take_verdict), 0);
	assert_int_equal(ask(&auth, &old, ALICE_SECRET), AUTH_GRANTED);
	assert_int_equal(ask(&auth, &new, ALICE_SECRET), AUTH_DENIED);
	assert_int_equal(ask(&auth, &old, ALICE_SECRET), AUTH_GRANTED);
	auth_exit(&auth);
	web_config_free(&old.config);
	web_config_free(&new.config);
}

/* "Basic " and @plain in base64. */
static void encode(const char *plain, char *header)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	size_t i, len = strlen(plain);
	char *out = header + sprintf(header, "Basic ");
	unsigned int bits;

	for (i = 0; i < len; i += 3) {
		bits = plain[i] << 16;
		bits |= i + 1 < len ? plain[i + 1] << 8 : 0;
		bits |= i + 2 < len ? plain[i + 2] : 0;
		*out++ = digits[bits >> 18];
		*out++ = digits[bits >> 12 & 63];
		*out++ = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[bits & 63] : '=';
	}
	*out = '\0';
}

/* More right passwords than are remembered: bounded, and all are still right. */
static void test_known_are_bounded(void **state)
{
	static char text[AUTH_KNOWN_MAX * 2 * 80] = "basic_auth_users:\n";
	char plain[32], header[64];
	struct auth auth;
	struct web web;
	int i;

	(void)state;
	for (i = 0; i < AUTH_KNOWN_MAX * 2; i++)
		sprintf(text + strlen(text), " u%03d: %s\n", i, HASH);
	web_of(&web, text);
	assert_int_equal(auth_init(&auth, count_wait, take_verdict), 0);
	for (i = 0; i < AUTH_KNOWN_MAX * 4; i++) {
		snprintf(plain, sizeof(plain), "u%03d:secret", i % (AUTH_KNOWN_MAX * 2));
		encode(plain, header);
		assert_int_equal(ask(&auth, &web, header), AUTH_GRANTED);
	}
	assert_int_equal(auth.nr_known, AUTH_KNOWN_MAX);
	auth_exit(&auth);
	web_config_free(&web.config);
}

/* ---- Replaced or kept ---------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void test_broken_file_keeps_the_last(void **state)
{
	char dir[] = "/tmp/obsringd-web.XXXXXX", path[64], reason[WEB_REASON_MAX];
	uint64_t successful, loaded_ns;
	struct web_holder holder;
	struct web *first, *second;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/web.yml", dir);
	web_init(&holder);
	write_file(path, "basic_auth_users: {alice: " HASH "}\n");
	assert_int_equal(web_load(&holder, path, reason), 0);
	assert_false(web_changed(&holder));
	first = web_get(&holder);
	write_file(path, "basic_auth_users: {alice: plain}\n");
	assert_true(web_changed(&holder));
	assert_true(web_load(&holder, path, reason) < 0);
	assert_non_null(strstr(reason, "web.yml:1: the password of alice is no bcrypt"));
	assert_false(web_changed(&holder));
	web_health(&holder, &successful, &loaded_ns);
	assert_false(successful);
	second = web_get(&holder);
	assert_ptr_equal(first, second);
	web_put(second);
	/* Gone altogether: the same. */
	unlink(path);
	assert_true(web_load(&holder, path, reason) < 0);
	assert_non_null(strstr(reason, "web.yml: No such file or directory"));
	write_file(path, "http_server_config: {headers: {X-Frame-Options: deny}}\n");
	assert_true(web_changed(&holder));
	assert_int_equal(web_load(&holder, path, reason), 0);
	web_health(&holder, &successful, &loaded_ns);
	assert_true(successful);
	second = web_get(&holder);
	assert_int_equal(second->config.nr_headers, 1);
	/* Who began with the first still has it. */
	assert_int_equal(first->config.nr_users, 1);
	web_put(first);
	web_put(second);
	web_exit(&holder);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

static void test_certificates_refused(void **state)
{
	char dir[] = "/tmp/obsringd-web.XXXXXX", path[64], reason[WEB_REASON_MAX];
	struct web_holder holder;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/web.yml", dir);
	web_init(&holder);
	write_file(path, "\ntls_server_config: {cert_file: no.pem, key_file: no.key}\n");
	assert_true(web_load(&holder, path, reason) < 0);
	assert_non_null(strstr(reason, "web.yml:2: /tmp/obsringd-web."));
	assert_non_null(strstr(reason, "/no.pem: No such file or directory"));
	write_file(path, "tls_server_config: {cert_file: web.yml, key_file: web.yml}\n");
	assert_true(web_load(&holder, path, reason) < 0);
	assert_non_null(strstr(reason, "web.yml and web.yml: "));
	assert_null(web_get(&holder));
	web_exit(&holder);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_config_defaults),
		cmocka_unit_test(test_config_refused),
		cmocka_unit_test(test_config_bomb),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_basic_too_long),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_password_changes),
		cmocka_unit_test(test_known_are_bounded),
		cmocka_unit_test(test_broken_file_keeps_the_last),
		cmocka_unit_test(test_certificates_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
