/* SPDX-License-Identifier: MIT */
/*
 * client.h - avctl's end of the line protocol (abi/avisor/agent.h) over the socket of one port.
 *
 * Survives a broken connection and a restarted agent: it connects again and repeats what is safe to
 * repeat.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/line.h"

struct agent;

/* A request being built, and how it may be repeated. */
struct agent_request {
	struct line_out line;
	char text[AV_LINE_MAX];
	uint64_t id;
};

enum agent_status {
	AGENT_OK,
	AGENT_ERROR,       /* the agent said err: code, message */
	AGENT_UNREACHABLE, /* nobody listens on the socket */
	AGENT_TIMEOUT,
	AGENT_GARBLED, /* it answers, but not in the protocol */
};

struct agent_reply {
	enum agent_status status;
	char code[32]; /* of an error: "NOT_FOUND" */
	char message[256];
	char vm[40]; /* whose fault it is, when it is one's of several; else empty */
	bool repeated;   /* the request was sent more than once */
	struct line end; /* the ok line; valid until the next request */
	char end_text[AV_LINE_MAX + 1];
};

/*
 * Called for each row of a reply. row is valid during the call. When a request is repeated, restart
 * is called.
 */
struct agent_sink {
	void (*row)(void *to, const struct line *row);
	void (*restart)(void *to); /* forget the rows so far; may be NULL */
	void *to;
};

/*
 * Connect to folder/port within deadline_ns (monotonic). NULL with *status. The agent must be
 * closed with agent_close().
 */
struct agent *agent_open(const char *folder, const char *port, uint64_t deadline_ns,
			 enum agent_status *status);
void agent_close(struct agent *agent);

/* Move the deadline (monotonic nanoseconds). */
void agent_deadline(struct agent *agent, uint64_t deadline_ns);

/* Monotonic nanoseconds now. */
uint64_t agent_now(void);

/* A random 64-bit number, never 0. */
uint64_t agent_random(void);

/* Start a request; add fields to request->line, then agent_call(). */
void agent_begin(struct agent_request *request, const char *verb);

/*
 * Send the request and read its reply; only reply->status and what belongs to it is set. once =
 * never repeat after it may have reached the agent: then AGENT_TIMEOUT or AGENT_UNREACHABLE means
 * "perhaps done".
 */
enum agent_status agent_call(struct agent *agent, struct agent_request *request,
			     const struct agent_sink *sink, bool once, struct agent_reply *reply);

/* The boot count in the last hello seen; 0 when none was. */
uint64_t agent_boots(const struct agent *agent);
