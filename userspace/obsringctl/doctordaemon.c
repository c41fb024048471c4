// SPDX-License-Identifier: MIT
/* Is obsringd there, and can it read the device? One plain request, /-/ready. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"

#define URL_DEFAULT	"http://localhost:10478"
#define PORT_DEFAULT	"80"
#define WAIT_S		5

/* An URL taken apart. */
struct place {
	char host[256], port[8], path[256];
	bool bracketed;			/* an address of IPv6 */
};

static bool piece_copy(char *piece, size_t size, const char *from, size_t len)
{
	if (!len || len >= size)
		return false;
	memcpy(piece, from, len);
	piece[len] = 0;
	return true;
}

static bool port_parse(const char *text, size_t len, struct place *place)
{
	if (!len || strspn(text, "0123456789") < len ||
	    !piece_copy(place->port, sizeof(place->port), text, len))
		return false;
	return strtoul(place->port, NULL, 10) - 1 < 65535;
}

/* A user, a query and what is no URL are refused: they would be sent as they stand. */
static bool url_parse(const char *url, struct place *ret_place)
{
	struct place place = { .port = PORT_DEFAULT };
	size_t n;

	if (strncmp(url, "http://", 7))
		return false;
	url += 7;
	place.bracketed = *url == '[';
	n = strcspn(url, place.bracketed ? "]" : ":/");
	if (place.bracketed && url[n] != ']')
		return false;
	if (!piece_copy(place.host, sizeof(place.host), url + place.bracketed,
			n - place.bracketed))
		return false;
	url += n + place.bracketed;
	if (*url == ':') {
		n = strcspn(++url, "/");
		if (!port_parse(url, n, &place))
			return false;
		url += n;
	}
	n = strlen(url);
	while (n && url[n - 1] == '/')
		n--;
	if (*url && *url != '/')
		return false;
	if (n && !piece_copy(place.path, sizeof(place.path), url, n))
		return false;
	for (n = 0; place.host[n]; n++)
		if (place.host[n] <= ' ' || strchr("@?#[]", place.host[n]))
			return false;
	for (n = 0; place.path[n]; n++)
		if (place.path[n] <= ' ' || strchr("?#", place.path[n]))
			return false;
	*ret_place = place;
	return true;
}

bool doctor_url_valid(const char *url)
{
	struct place place;

	return url_parse(url, &place);
}

static int connect_one(const struct addrinfo *ai)
{
	const struct timeval wait = { .tv_sec = WAIT_S };
	int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);
	int error;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) &&
	    !connect(fd, ai->ai_addr, ai->ai_addrlen))
		return fd;
	/* That is how a time limit ends it. */
	error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(fd);
	return -error;
}

/* Any of its addresses. */
static int connect_any(const struct place *place, const char **ret_reason)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *ai;
	int r, fd = -ENOENT;

	r = getaddrinfo(place->host, place->port, &hints, &list);
	if (r) {
		*ret_reason = gai_strerror(r);
		return -ENOENT;
	}
	for (ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = connect_one(ai);
	freeaddrinfo(list);
	if (fd < 0)
		*ret_reason = strerror(-fd);
	return fd;
}

/* All up to its end, or to the end of @answer, or of our patience. */
static size_t answer_read(int fd, char *answer, size_t size)
{
	time_t begun = time(NULL);
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && time(NULL) - begun <= WAIT_S) {
		n = recv(fd, answer + len, size - 1 - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	answer[len] = 0;
	return len;
}

int doctor_answer_parse(char *answer, char **ret_body)
{
	int status = 0;

	if (sscanf(answer, "HTTP/1.%*1[01] %3d", &status) != 1 || status < 100)
		return 0;
	*ret_body = strstr(answer, "\r\n\r\n");
	*ret_body = *ret_body ? *ret_body + 4 : answer + strlen(answer);
	(*ret_body)[strcspn(*ret_body, "\r\n")] = 0;
	return status;
}

static int ask(int fd, const struct place *place, char *answer, size_t size, char **ret_body)
{
	char request[768];
	int len;

	len = snprintf(request, sizeof(request),
		       "GET %s/-/ready HTTP/1.0\r\nHost: %s%s%s:%s\r\n"
		       "User-Agent: obsringctl/" OBSRING_VERSION "\r\n\r\n",
		       place->path, place->bracketed ? "[" : "", place->host,
		       place->bracketed ? "]" : "", place->port);
	if (send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		return 0;
	answer_read(fd, answer, size);
	return doctor_answer_parse(answer, ret_body);
}

void doctor_answer(struct doctor *doctor, const char *url, int status, const char *body)
{
	switch (status) {
	case 200:
		doctor_tell(doctor, DOCTOR_OK, NULL, "obsringd at %s is ready", url);
		break;
	case 401:
	case 403:
		doctor_tell(doctor, DOCTOR_NOTE, "ask it as a user that it knows: curl -u",
			    "a server at %s answers, but not to everybody (%d)", url, status);
		break;
	case 503:
		doctor_tell(doctor, DOCTOR_WARNING,
			    "see the findings about the device; the daemon must be of its group",
			    "obsringd at %s can't serve: %s", url, body);
		break;
	case 0:
		doctor_tell(doctor, DOCTOR_WARNING,
			    "if it is TLS, ask it by curl; else see who listens there: ss -ltnp",
			    "what listens at %s does not answer in HTTP", url);
		break;
	default:
		doctor_tell(doctor, DOCTOR_WARNING, "see who listens there: ss -ltnp",
			    "what listens at %s answers %d, as obsringd does not", url, status);
	}
}

void doctor_daemon(struct doctor *doctor)
{
	const char *url = doctor->url ?: URL_DEFAULT, *reason = "";
	char answer[1024], *body = answer;
	struct place place;
	int fd;

	/* The usual one is the device's. */
	if ((!doctor->url && doctor->hosted) || !url_parse(url, &place))
		return;
	fd = connect_any(&place, &reason);
	if (fd < 0) {
		doctor_tell(doctor, doctor->url ? DOCTOR_ERROR : DOCTOR_NOTE,
			    "systemctl enable --now obsringd, or say where it is by --url",
			    "no daemon at %s: %s", url, reason);
		return;
	}
	doctor_answer(doctor, url, ask(fd, &place, answer, sizeof(answer), &body), body);
	close(fd);
}
