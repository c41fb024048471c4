// SPDX-License-Identifier: MIT
/*
 * Generic netlink: what is no good is refused with a sentence and the place, and
 * what is answered of the module equals the mapping.
 */
#include "test.h"
#include "wire.h"

FIXTURE(request)
{
	struct wire wire;
	struct request request;
};

FIXTURE_SETUP(request)
{
	ASSERT_EQ(0, wire_open(&self->wire));
	ASSERT_NE(0, self->wire.family);
	ASSERT_NE(0, self->wire.group);
}

FIXTURE_TEARDOWN(request)
{
	wire_close(&self->wire);
}

#define ask()	wire_ask(&self->wire, &self->request, NULL, NULL)

/* ---- Attributes that are no good ----------------------------------------- */

TEST_F(request, unknown_attribute)
{
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "task");
	offset = request_put_u32(&self->request, OBSRING_A_MAX + 1, 0);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("Unknown attribute type", self->wire.sentence);
	EXPECT_EQ(offset, self->wire.offset);
}

/* Known, but not to this command. */
TEST_F(request, attribute_of_another_command)
{
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	offset = request_put_u64(&self->request, OBSRING_A_VERSION, 0);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("Unsupported attribute", self->wire.sentence);
	EXPECT_EQ(offset, self->wire.offset);

	request_begin(&self->request, OBSRING_CMD_INFO_GET, 0);
	offset = request_put_u32(&self->request, OBSRING_A_STATE, 0);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_EQ(offset, self->wire.offset);
}

TEST_F(request, truncated_attribute)
{
	uint16_t half = 0;
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_STATE_SET, 0);
	offset = request_put(&self->request, OBSRING_A_STATE, &half, sizeof(half));
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("invalid attribute length", self->wire.sentence);
	EXPECT_EQ(offset, self->wire.offset);
}

TEST_F(request, attribute_of_the_wrong_type)
{
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_STATE_SET, 0);
	offset = request_put_string(&self->request, OBSRING_A_STATE, "running");
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_EQ(offset, self->wire.offset);

	request_begin(&self->request, OBSRING_CMD_SERIES_UPDATE, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "t");
	offset = request_put_u32(&self->request, OBSRING_A_VALUE, 1);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_EQ(offset, self->wire.offset);
}

/* An attribute that says it is longer than the message. */
TEST_F(request, attribute_beyond_the_message)
{
	struct nlattr *attr;
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	offset = request_put_string(&self->request, OBSRING_A_NAME, "task");
	attr = (void *)((char *)&self->request + offset);
	attr->nla_len += 64;
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("bytes leftover after parsing attributes", self->wire.sentence);
}

TEST_F(request, string_without_its_end)
{
	uint32_t offset;

	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	offset = request_put(&self->request, OBSRING_A_NAME, "task", 4);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_EQ(offset, self->wire.offset);
	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	request_put(&self->request, OBSRING_A_NAME, "", 0);
	EXPECT_EQ(-EINVAL, ask());
}

TEST_F(request, string_of_names_length)
{
	char name[OBSRING_NAME_MAX + 2];

	memset(name, 'a', sizeof(name));
	name[OBSRING_NAME_MAX + 1] = '\0';
	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, name);
	EXPECT_EQ(-EINVAL, ask());
	name[OBSRING_NAME_MAX] = '\0';
	request_begin(&self->request, OBSRING_CMD_SOURCE_GET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, name);
	EXPECT_EQ(-ENOENT, ask());
}

static const struct {
	uint8_t cmd;
	uint16_t attr;
	uint32_t value;
} beyond[] = {
	{ OBSRING_CMD_STATE_SET, OBSRING_A_STATE, OBSRING_STATE_MAX + 1 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_KIND, 0 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_KIND, OBSRING_KIND_MAX + 1 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_EXP10, 1 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_EXP10, (uint32_t)-13 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_SCHEMA, 4 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_MIN_LOG2, (uint32_t)-41 },
	{ OBSRING_CMD_FAMILY_NEW, OBSRING_A_MAX_LOG2, 41 },
	{ OBSRING_CMD_PROBE_NEW, OBSRING_A_PROBE_TYPE, 0 },
	{ OBSRING_CMD_PROBE_NEW, OBSRING_A_PROBE_TYPE, OBSRING_PROBE_MAX + 1 },
	{ OBSRING_CMD_PROBE_NEW, OBSRING_A_SAMPLE, 0 },
};

TEST_F(request, numbers_out_of_range)
{
	uint32_t offset;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		request_begin(&self->request, beyond[i].cmd, 0);
		offset = request_put_u32(&self->request, beyond[i].attr, beyond[i].value);
		EXPECT_EQ(-ERANGE, ask())
			TH_LOG("command %u attribute %u", beyond[i].cmd, beyond[i].attr);
		EXPECT_STREQ("integer out of range", self->wire.sentence);
		EXPECT_EQ(offset, self->wire.offset);
	}
	request_begin(&self->request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "task");
	request_put_u8(&self->request, OBSRING_A_ENABLED, 2);
	EXPECT_EQ(-ERANGE, ask());
}

TEST_F(request, option_must_be_a_nest)
{
	request_begin(&self->request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "syscall");
	request_put_u8(&self->request, OBSRING_A_ENABLED, 0);
	request_put_string(&self->request, OBSRING_A_OPTION, "sample=1");
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("NLA_F_NESTED is missing", self->wire.sentence);
}

TEST_F(request, option_needs_key_and_value)
{
	char nest[64] = { 0 };
	struct nlattr *key = (void *)nest;
	uint32_t offset;

	key->nla_type = OBSRING_A_OPTION_KEY;
	key->nla_len = NLA_HDRLEN + 7;
	strcpy(nest + NLA_HDRLEN, "sample");
	request_begin(&self->request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "syscall");
	request_put_u8(&self->request, OBSRING_A_ENABLED, 0);
	offset = request_put(&self->request, OBSRING_A_OPTION | NLA_F_NESTED, nest, 12);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("an option needs a key and a value; at most 16 options",
		     self->wire.sentence);
	EXPECT_EQ(offset, self->wire.offset);
	/* What stands in a nest is looked at just as strictly. */
	key->nla_type = OBSRING_A_VALUE;
	request_begin(&self->request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "syscall");
	request_put_u8(&self->request, OBSRING_A_ENABLED, 0);
	request_put(&self->request, OBSRING_A_OPTION | NLA_F_NESTED, nest, 12);
	EXPECT_EQ(-EINVAL, ask());
}

/* ---- Attributes that are missing ----------------------------------------- */

static const struct {
	uint8_t cmd;
	const char *sentence;
} needs[] = {
	{ OBSRING_CMD_STATE_SET, "attribute state is missing" },
	{ OBSRING_CMD_FAMILY_GET, "attribute name is missing" },
	{ OBSRING_CMD_FAMILY_NEW, "name, help and kind are needed" },
	{ OBSRING_CMD_FAMILY_DEL, "attribute name is missing" },
	{ OBSRING_CMD_SERIES_GET, "attribute name is missing" },
	{ OBSRING_CMD_SERIES_NEW, "attribute name is missing" },
	{ OBSRING_CMD_SERIES_DEL, "attribute name is missing" },
	{ OBSRING_CMD_SERIES_UPDATE, "attribute value is missing" },
	{ OBSRING_CMD_SOURCE_GET, "attribute name is missing" },
	{ OBSRING_CMD_SOURCE_SET, "attribute name is missing" },
	{ OBSRING_CMD_PROBE_NEW, "name, probe-type and probe-target are needed" },
	{ OBSRING_CMD_PROBE_DEL, "attribute name is missing" },
};

TEST_F(request, missing_attributes)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(needs); i++) {
		request_begin(&self->request, needs[i].cmd, 0);
		EXPECT_EQ(-EINVAL, ask())
			TH_LOG("command %u", needs[i].cmd);
		EXPECT_STREQ(needs[i].sentence, self->wire.sentence);
	}
	request_begin(&self->request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "task");
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("attribute enabled is missing", self->wire.sentence);
	request_begin(&self->request, OBSRING_CMD_FAMILY_NEW, 0);
	request_put_string(&self->request, OBSRING_A_NAME, "t");
	request_put_string(&self->request, OBSRING_A_HELP, "h");
	request_put_u32(&self->request, OBSRING_A_KIND, OBSRING_KIND_HISTOGRAM);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("a histogram needs bounds, or schema, min-log2 and max-log2",
		     self->wire.sentence);
}

/* ---- Commands ------------------------------------------------------------ */

TEST_F(request, unknown_commands)
{
	static const uint8_t cmd[] = {
		OBSRING_CMD_UNSPEC, OBSRING_CMD_MAX + 1, 255, OBSRING_CMD_STATE_NTF,
		OBSRING_CMD_FAMILY_NEW_NTF, OBSRING_CMD_PROBE_DEL_NTF,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cmd); i++) {
		request_begin(&self->request, cmd[i], 0);
		EXPECT_EQ(-EOPNOTSUPP, ask());
	}
	request_begin(&self->request, OBSRING_CMD_INFO_GET, NLM_F_DUMP);
	EXPECT_EQ(-EOPNOTSUPP, ask());
	request_begin(&self->request, OBSRING_CMD_PROBE_GET, 0);
	EXPECT_EQ(-EOPNOTSUPP, ask());
}

TEST_F(request, message_without_its_header)
{
	request_begin(&self->request, OBSRING_CMD_INFO_GET, 0);
	self->request.head.nlmsg_len = NLMSG_LENGTH(2);
	EXPECT_EQ(-EINVAL, ask());
}

TEST_F(request, unknown_names)
{
	static const struct { uint8_t cmd; const char *sentence; } names[] = {
		{ OBSRING_CMD_FAMILY_GET, "there is no family of that name" },
		{ OBSRING_CMD_SERIES_GET, "there is no family of that name" },
		{ OBSRING_CMD_SOURCE_GET, "there is no source of that name" },
		{ OBSRING_CMD_PROBE_DEL, "there is no probe of that name" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		request_begin(&self->request, names[i].cmd, 0);
		request_put_string(&self->request, OBSRING_A_NAME, "none");
		EXPECT_EQ(-ENOENT, ask());
		EXPECT_STREQ(names[i].sentence, self->wire.sentence);
	}
	request_begin(&self->request, OBSRING_CMD_FAMILY_GET, 0);
	request_put_u32(&self->request, OBSRING_A_FAMILY_ID, 1000000);
	EXPECT_EQ(-ENOENT, ask());
	EXPECT_STREQ("there is no family of that id", self->wire.sentence);
	request_begin(&self->request, OBSRING_CMD_SERIES_GET, 0);
	request_put_u32(&self->request, OBSRING_A_SERIES_ID, 1000000);
	EXPECT_EQ(-ENOENT, ask());
	EXPECT_STREQ("there is no such series", self->wire.sentence);
	request_begin(&self->request, OBSRING_CMD_SERIES_GET, NLM_F_DUMP);
	request_put_string(&self->request, OBSRING_A_NAME, "none");
	EXPECT_EQ(-ENOENT, ask());
	EXPECT_STREQ("there is no family of that name", self->wire.sentence);
	request_begin(&self->request, OBSRING_CMD_SERIES_GET, NLM_F_DUMP);
	request_put_u32(&self->request, OBSRING_A_SERIES_ID, 1);
	EXPECT_EQ(-EINVAL, ask());
	EXPECT_STREQ("a dump is by name alone", self->wire.sentence);
}

/* ---- Answers ------------------------------------------------------------- */

static void keep_info(const struct answer *answer, void *arg)
{
	uint32_t *seen = arg;
	uint16_t type;

	for (type = OBSRING_A_VERSION; type <= OBSRING_A_REFUSED; type++)
		*seen += !!answer->attr[type];
	*seen += !!answer->attr[OBSRING_A_SOURCE];
	if (attr_u32(answer->attr[OBSRING_A_ABI_MAJOR]) != OBSRING_ABI_MAJOR ||
	    answer->cmd != OBSRING_CMD_INFO_GET)
		*seen = 0;
}

TEST_F(request, info_is_complete)
{
	uint32_t seen = 0;

	request_begin(&self->request, OBSRING_CMD_INFO_GET, 0);
	EXPECT_EQ(0, wire_ask(&self->wire, &self->request, keep_info, &seen));
	EXPECT_EQ(OBSRING_A_REFUSED - OBSRING_A_VERSION + 2, seen);
}

TEST_F(request, info_equals_the_header)
{
	struct obs_control *control;
	struct obs_info info;
	struct view view;

	ASSERT_EQ(0, view_open(&view));
	ASSERT_EQ(0, obs_control_open(&control));
	ASSERT_EQ(0, obs_control_info(control, &info));
	EXPECT_EQ(obs_device_header(view.device)->instance, info.instance);
	EXPECT_EQ(obs_device_header(view.device)->nr_cpus, info.nr_cpus);
	EXPECT_EQ(obs_device_header(view.device)->series_live, info.series);
	EXPECT_EQ(obs_device_header(view.device)->state, info.state);
	EXPECT_EQ((int64_t)info.bytes, metric(&view, "obsring_memory_bytes", "values") +
		  metric(&view, "obsring_memory_bytes", "exemplars"));
	EXPECT_EQ((int64_t)info.directory_bytes,
		  metric(&view, "obsring_memory_bytes", "directory"));
	obs_control_close(control);
	view_close(&view);
}

TEST_HARNESS_MAIN
