// SPDX-License-Identifier: MIT
/*
 * seed_propagate N: headers for fuzz_propagate.c, a header being its number there, the
 * length in two bytes, and the value; or a value alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE	"4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN	"00f067aa0ba902b7"
#define PARENT	"00-" TRACE "-" SPAN "-01"
#define B3	TRACE "-" SPAN "-1-05e3ac9a4f6e3b90"
#define GRPC	"AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* Number and value of each; -1 and a value alone. */
static const struct {
	int number;
	const char *value;
} seeds[][5] = {
	{ { 0, PARENT }, { 1, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE" },
	  { 1, "ot=th:c;rv:d29d6a7215ced0;x:y , \t,a@b=1" }, { 9, "userId=alice,b=2;p=1" } },
	{ { 0, "cc-" TRACE "-" SPAN "-03-more" }, { 1, "foo= 1" } },
	{ { 2, B3 }, { 1, "a=1" } },
	{ { 2, "d" } },
	{ { 3, TRACE }, { 4, SPAN }, { 5, SPAN }, { 6, "true" }, { 7, "1" } },
	{ { 8, GRPC } },
	{ { -1, PARENT } },
	{ { -1, "ot=th:c;rv:d29d6a7215ced0;x:y , \t,a@b=1" } },
	{ { -1, B3 } },
	{ { -1, GRPC "=" } },
	{ { -1, "userId=alice,b=2;p=1" } },
};

int main(int argc, char **argv)
{
	size_t seed = argc > 1 ? strtoul(argv[1], NULL, 10) : NR(seeds), i, len;

	if (seed >= NR(seeds))
		return 1;
	for (i = 0; i < NR(seeds[0]) && seeds[seed][i].value; i++) {
		len = strlen(seeds[seed][i].value);
		if (seeds[seed][i].number >= 0) {
			putchar(seeds[seed][i].number);
			putchar((int)(len >> 8));
			putchar((int)(len & 0xff));
		}
		fputs(seeds[seed][i].value, stdout);
	}
	return 0;
}
