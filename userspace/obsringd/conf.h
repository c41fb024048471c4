/* SPDX-License-Identifier: MIT */
/*
 * YAML files as configuration: a table says which keys a mapping may have and
 * who takes their values. Keys that are unknown or come twice are errors, and
 * each error has its line.
 */
#ifndef OBSRINGD_CONF_H
#define OBSRINGD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#define CONF_BYTES_MAX	(1024 * 1024)
#define CONF_REASON_MAX	512

struct conf {
	const char *name;	/* of the file, in errors */
	yaml_document_t document;
	char reason[CONF_REASON_MAX];
};

/* Where a key's value goes: 0, or -EINVAL after conf_fail(). */
struct conf_key {
	const char *name;
	int (*take)(struct conf *conf, const yaml_node_t *value, void *target);
	size_t at;		/* in what conf_map() fills */
};

/*
 * -errno, with conf->reason set and nothing to free; else conf_free(). Strings
 * that were taken live as long. @name is kept.
 */
int conf_load(struct conf *conf, const char *path);
int conf_parse(struct conf *conf, const char *name, const char *data, size_t len);
void conf_free(struct conf *conf);

/* NULL: the file is empty. */
const yaml_node_t *conf_root(struct conf *conf);

/* conf->reason becomes "FILE:LINE: ..."; returns -EINVAL. */
int conf_fail(struct conf *conf, const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A value that is null is as none: its key is skipped. */
int conf_map(struct conf *conf, const yaml_node_t *node, const struct conf_key *keys,
	     unsigned int nr, void *target);

/* Each pair of a mapping whose keys are data; each item of a list. */
typedef int (*conf_pair_fn)(struct conf *conf, const char *key,
			    const yaml_node_t *value, void *target);
int conf_each_pair(struct conf *conf, const yaml_node_t *node, conf_pair_fn fn,
		   void *target);
int conf_each_item(struct conf *conf, const yaml_node_t *node,
		   int (*fn)(struct conf *conf, const yaml_node_t *item, void *target),
		   void *target);

/* A scalar without a NUL in it, or NULL after conf_fail(). */
const char *conf_text(struct conf *conf, const yaml_node_t *node);

/* For tables: a const char *, a bool. */
int conf_take_text(struct conf *conf, const yaml_node_t *value, void *target);
int conf_take_bool(struct conf *conf, const yaml_node_t *value, void *target);

#endif /* OBSRINGD_CONF_H */
