// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "file.h"

int conf_fail(struct conf *conf, const yaml_node_t *node, const char *format, ...)
{
	char what[CONF_REASON_MAX / 2];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(conf->reason, sizeof(conf->reason), "%.200s:%zu: %s", conf->name,
		 node->start_mark.line + 1, what);
	return -EINVAL;
}

static int fail_parse(struct conf *conf, const yaml_parser_t *parser)
{
	if (parser->error == YAML_MEMORY_ERROR) {
		snprintf(conf->reason, sizeof(conf->reason), "%.200s: %s", conf->name,
			 strerror(ENOMEM));
		return -ENOMEM;
	}
	snprintf(conf->reason, sizeof(conf->reason), "%.200s:%zu: %s", conf->name,
		 parser->problem_mark.line + 1,
		 parser->problem ? parser->problem : "no YAML");
	return -EINVAL;
}

/* A second document would be ignored silently. */
static int refuse_second(struct conf *conf, yaml_parser_t *parser)
{
	yaml_document_t second;
	yaml_node_t *root;
	int r = 0;

	if (!yaml_parser_load(parser, &second))
		return fail_parse(conf, parser);
	root = yaml_document_get_root_node(&second);
	if (root)
		r = conf_fail(conf, root, "a second document");
	yaml_document_delete(&second);
	return r;
}

int conf_parse(struct conf *conf, const char *name, const char *data, size_t len)
{
	yaml_parser_t parser;
	int r = 0;

	conf->name = name;
	conf->reason[0] = '\0';
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)data, len);
	if (!yaml_parser_load(&parser, &conf->document)) {
		r = fail_parse(conf, &parser);
	} else if (yaml_document_get_root_node(&conf->document)) {
		r = refuse_second(conf, &parser);
		if (r < 0)
			yaml_document_delete(&conf->document);
	}
	yaml_parser_delete(&parser);
	return r;
}

int conf_load(struct conf *conf, const char *path)
{
	size_t len;
	char *data;
	int r = file_read(path, CONF_BYTES_MAX, &data, &len);

	if (r < 0) {
		snprintf(conf->reason, sizeof(conf->reason), "%.200s: %s", path,
			 strerror(-r));
		return r;
	}
	r = conf_parse(conf, path, data, len);
	file_forget(data, len);
	return r;
}

void conf_free(struct conf *conf)
{
	yaml_document_delete(&conf->document);
}

const yaml_node_t *conf_root(struct conf *conf)
{
	return yaml_document_get_root_node(&conf->document);
}

static const yaml_node_t *node_at(struct conf *conf, int index)
{
	return yaml_document_get_node(&conf->document, index);
}

/* As YAML 1.1 has it; a quoted one is a text. */
static bool is_null(const yaml_node_t *node)
{
	const char *value = (const char *)node->data.scalar.value;

	return node->type == YAML_SCALAR_NODE &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*value || !strcmp(value, "~") || !strcmp(value, "null"));
}

const char *conf_text(struct conf *conf, const yaml_node_t *node)
{
	const char *value = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE)
		conf_fail(conf, node, "a text is wanted here");
	else if (strlen(value) != node->data.scalar.length)
		conf_fail(conf, node, "a text with a NUL in it");
	else
		return value;
	return NULL;
}

/* Keys are few: a mapping of thousands is refused before this takes long. */
#define PAIRS_MAX 1024

static int check_pairs(struct conf *conf, const yaml_node_t *node)
{
	const yaml_node_pair_t *pair, *other;
	const char *key;

	if (node->type != YAML_MAPPING_NODE)
		return conf_fail(conf, node, "a mapping is wanted here");
	if (node->data.mapping.pairs.top - node->data.mapping.pairs.start > PAIRS_MAX)
		return conf_fail(conf, node, "too many keys");
	for (pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		key = conf_text(conf, node_at(conf, pair->key));
		if (!key)
			return -EINVAL;
		for (other = node->data.mapping.pairs.start; other < pair; other++)
			if (!strcmp(key, (const char *)node_at(conf, other->key)
				    ->data.scalar.value))
				return conf_fail(conf, node_at(conf, pair->key),
						 "%.60s is there twice", key);
	}
	return 0;
}

int conf_each_pair(struct conf *conf, const yaml_node_t *node, conf_pair_fn fn,
		   void *target)
{
	const yaml_node_pair_t *pair;
	const yaml_node_t *value;
	int r = check_pairs(conf, node);

	if (r < 0)
		return r;
	for (pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top && !r; pair++) {
		value = node_at(conf, pair->value);
		if (!is_null(value))
			r = fn(conf, (const char *)node_at(conf, pair->key)->data.scalar.value,
			       value, target);
	}
	return r;
}

struct map_target {
	const struct conf_key *keys;
	unsigned int nr;
	char *target;
};

static int take_key(struct conf *conf, const char *key, const yaml_node_t *value,
		    void *target)
{
	const struct map_target *map = target;
	unsigned int i;

	for (i = 0; i < map->nr; i++)
		if (!strcmp(key, map->keys[i].name))
			return map->keys[i].take(conf, value,
						 map->target + map->keys[i].at);
	return conf_fail(conf, value, "no such key: %.60s", key);
}

int conf_map(struct conf *conf, const yaml_node_t *node, const struct conf_key *keys,
	     unsigned int nr, void *target)
{
	struct map_target map = { .keys = keys, .nr = nr, .target = target };

	return conf_each_pair(conf, node, take_key, &map);
}

int conf_each_item(struct conf *conf, const yaml_node_t *node,
		   int (*fn)(struct conf *conf, const yaml_node_t *item, void *target),
		   void *target)
{
	const yaml_node_item_t *item;
	int r = 0;

	if (node->type != YAML_SEQUENCE_NODE)
		return conf_fail(conf, node, "a list is wanted here");
	for (item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top && !r; item++)
		r = fn(conf, node_at(conf, *item), target);
	return r;
}

int conf_take_text(struct conf *conf, const yaml_node_t *value, void *target)
{
	const char *text = conf_text(conf, value);

	if (!text)
		return -EINVAL;
	*(const char **)target = text;
	return 0;
}

int conf_take_bool(struct conf *conf, const yaml_node_t *value, void *target)
{
	const char *text = conf_text(conf, value);

	if (!text)
		return -EINVAL;
	if (strcmp(text, "true") && strcmp(text, "false"))
		return conf_fail(conf, value, "not true or false");
	*(bool *)target = !strcmp(text, "true");
	return 0;
}
