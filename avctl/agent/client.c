/* SPDX-License-Identifier: MIT */
/*
 * client.c - one conversation with an agent behind a QEMU socket.
 * Never trusts what comes back to be in order: every line is parsed, other ids are skipped, all
 * waits have an end.
 */
#include "agent/client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/*
 * An attempt that gets no byte for so long is given up and made again, while the deadline allows.
 */
#define ATTEMPT_NS 1500000000u
#define CONNECT_PAUSE_NS 20000000u

struct agent {
	int folder_fd;
	int fd; /* -1: not connected */
	char port[64];
	uint64_t deadline;
	uint64_t boots;
	struct line_feed feed;
	char input[4096];
	const char *at; /* in input, not yet fed */
	size_t left;
};

uint64_t agent_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t agent_random(void)
{
	uint64_t value = 0;

	while (value == 0) {
		if (getrandom(&value, sizeof(value), 0) != sizeof(value))
			value = agent_now() ^ ((uint64_t)getpid() << 40);
	}
	return value;
}

static void disconnect(struct agent *agent)
{
	if (agent->fd >= 0)
		close(agent->fd);
	agent->fd = -1;
	agent->left = 0;
	line_feed_reset(&agent->feed);
}

/* A socket whose server has a full queue of clients would keep connect() for ever: ask again until the deadline. */
static bool connect_until(int fd, const struct sockaddr_un *address, uint64_t deadline)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return false;
		if (agent_now() >= deadline) {
			errno = ETIMEDOUT;
			return false;
		}
		nanosleep(&moment, NULL);
	}
	return true;
}

/*
 * Connect once. The folder's path may be longer than a socket address: it is named by descriptor.
 * The empty line ends whatever half line the agent may have kept.
 */
static bool connect_once(struct agent *agent)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	disconnect(agent);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
		 agent->folder_fd, agent->port);
	agent->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (agent->fd < 0)
		return false;
	if (!connect_until(agent->fd, &address, agent->deadline)) {
		disconnect(agent);
		return false;
	}
	return true;
}

struct agent *agent_open(const char *folder, const char *port, uint64_t deadline_ns,
			 enum agent_status *status)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	*status = AGENT_UNREACHABLE;
	if (!agent)
		return NULL;
	agent->fd = -1;
	agent->deadline = deadline_ns;
	snprintf(agent->port, sizeof(agent->port), "%s", port);
	agent->folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (agent->folder_fd < 0 || !connect_once(agent)) {
		agent_close(agent);
		return NULL;
	}
	*status = AGENT_OK;
	return agent;
}

void agent_close(struct agent *agent)
{
	if (!agent)
		return;
	disconnect(agent);
	if (agent->folder_fd >= 0)
		close(agent->folder_fd);
	free(agent);
}

void agent_deadline(struct agent *agent, uint64_t deadline_ns)
{
	agent->deadline = deadline_ns;
}

uint64_t agent_boots(const struct agent *agent)
{
	return agent->boots;
}

void agent_begin(struct agent_request *request, const char *verb)
{
	request->id = agent_random();
	line_begin(&request->line, request->text, sizeof(request->text), request->id, verb);
}

/* Wait for the socket until the time given. False when that passes. */
static bool wait_for(struct agent *agent, short events, uint64_t until)
{
	struct pollfd wait = {.fd = agent->fd, .events = events};

	for (;;) {
		uint64_t now = agent_now();
		struct timespec left;
		int ready;

		if (now >= until)
			return false;
		left.tv_sec = (time_t)((until - now) / 1000000000u);
		left.tv_nsec = (long)((until - now) % 1000000000u);
		ready = ppoll(&wait, 1, &left, NULL);
		if (ready > 0)
			return true;
		if (ready < 0 && errno != EINTR)
			return false;
	}
}

enum step { STEP_DONE, STEP_AGAIN, STEP_BROKEN };

static enum step send_all(struct agent *agent, const char *data, size_t size, uint64_t until)
{
	while (size) {
		ssize_t sent = send(agent->fd, data, size, MSG_NOSIGNAL);

		if (sent > 0) {
			data += sent;
			size -= (size_t)sent;
		} else if (sent < 0 && errno == EAGAIN) {
			if (!wait_for(agent, POLLOUT, until))
				return STEP_AGAIN;
		} else if (sent < 0 && errno != EINTR) {
			return STEP_BROKEN;
		}
	}
	return STEP_DONE;
}

/* The next whole line into agent->feed. */
static enum step next_line(struct agent *agent, uint64_t until)
{
	for (;;) {
		ssize_t got;

		while (agent->left) {
			if (line_feed_next(&agent->feed, &agent->at, &agent->left) == LINE_READY)
				return STEP_DONE;
		}
		got = recv(agent->fd, agent->input, sizeof(agent->input), 0);
		if (got > 0) {
			agent->at = agent->input;
			agent->left = (size_t)got;
		} else if (got == 0) {
			return STEP_BROKEN;
		} else if (errno == EAGAIN) {
			if (!wait_for(agent, POLLIN, until))
				return STEP_AGAIN;
		} else if (errno != EINTR) {
			return STEP_BROKEN;
		}
	}
}

static void take_error(struct agent_reply *reply, const struct line *line)
{
	const char *code = line_text(line, "code");
	const char *message = line_text(line, "msg");
	const char *vm = line_text(line, "vm");

	reply->status = AGENT_ERROR;
	snprintf(reply->code, sizeof(reply->code), "%s", code ? code : "UNKNOWN");
	snprintf(reply->message, sizeof(reply->message), "%s", message ? message : "");
	snprintf(reply->vm, sizeof(reply->vm), "%s", vm ? vm : "");
}

/*
 * Read lines until the reply to id has ended. STEP_AGAIN: no answer in time, or the agent was
 * started anew after it may have had the request.
 */
static enum step read_reply(struct agent *agent, uint64_t id, const struct agent_sink *sink,
			    uint64_t until, struct agent_reply *reply)
{
	struct line line;

	for (;;) {
		enum step step = next_line(agent, until);

		if (step != STEP_DONE)
			return step;
		memcpy(reply->end_text, agent->feed.text, agent->feed.length + 1);
		switch (line_parse(&line, reply->end_text, agent->feed.length)) {
		case LINE_PARSED:
			break;
		case LINE_MALFORMED:
			if (line.id != id)
				continue;
			reply->status = AGENT_GARBLED;
			return STEP_DONE;
		case LINE_EMPTY:
			continue;
		}
		if (line.id == 0 && !strcmp(line.verb, "hello")) {
			uint64_t boots = 0, before = agent->boots;

			line_number(&line, "boots", &boots);
			agent->boots = boots;
			if (before && boots != before)
				return STEP_AGAIN;
			continue;
		}
		if (line.id != id)
			continue;
		if (!strcmp(line.verb, "row")) {
			if (sink && sink->row)
				sink->row(sink->to, &line);
			if (agent_now() + ATTEMPT_NS > until)
				until = agent_now() + ATTEMPT_NS < agent->deadline
						? agent_now() + ATTEMPT_NS
						: agent->deadline;
		} else if (!strcmp(line.verb, "ok")) {
			reply->status = AGENT_OK;
			reply->end = line;
			return STEP_DONE;
		} else if (!strcmp(line.verb, "err")) {
			take_error(reply, &line);
			return STEP_DONE;
		}
	}
}

static void pause_before_retry(uint64_t deadline)
{
	uint64_t now = agent_now();
	uint64_t ns = now + CONNECT_PAUSE_NS < deadline ? CONNECT_PAUSE_NS : 0;

	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

enum agent_status agent_call(struct agent *agent, struct agent_request *request,
			     const struct agent_sink *sink, bool once, struct agent_reply *reply)
{
	char text[AV_LINE_MAX + 32];
	size_t size = line_end(&request->line);
	const char *rest;
	int used;

	reply->status = AGENT_TIMEOUT;
	reply->repeated = false;
	reply->code[0] = reply->message[0] = '\0';
	rest = size ? memchr(request->text, ' ', size) : NULL;
	if (!rest || size > AV_LINE_MAX - 20) {
		reply->status = AGENT_ERROR;
		snprintf(reply->code, sizeof(reply->code), "TOO_LONG");
		return reply->status;
	}
	for (bool first = true;; first = false) {
		uint64_t now = agent_now();
		/* A first attempt that must not be repeated has all the time there is. */
		uint64_t until = once || now + ATTEMPT_NS > agent->deadline ? agent->deadline
									    : now + ATTEMPT_NS;
		enum step step;

		if (!first) {
			if (now >= agent->deadline)
				return reply->status;
			reply->repeated = true;
			if (sink && sink->restart)
				sink->restart(sink->to);
			pause_before_retry(agent->deadline);
			request->id =
				agent_random(); /* late rows of the last attempt are not ours */
		}
		used = snprintf(text, sizeof(text), "\x18\n%" PRIx64 "%.*s", request->id,
				(int)(size - (size_t)(rest - request->text)), rest);
		if (agent->fd < 0 && !connect_once(agent)) {
			reply->status = AGENT_UNREACHABLE;
			continue;
		}
		step = send_all(agent, text, (size_t)used, until);
		if (step == STEP_DONE)
			step = read_reply(agent, request->id, sink, until, reply);
		if (step == STEP_DONE)
			return reply->status;
		disconnect(agent);
		reply->status = step == STEP_BROKEN ? AGENT_UNREACHABLE : AGENT_TIMEOUT;
		if (once)
			return reply->status;
	}
}
