/* SPDX-License-Identifier: MIT */
/*
 * service.h - the agent's portable core: request lines in, hypercalls out, reply lines back.
 *
 * Knows no device and no instruction: what it needs of its home comes in struct service_ops. One client at a
 * time. Keeps nothing that a restart may not lose.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <avisor/hypercall.h>
#include <avisor/manifest.h>

#include "core/line.h"

#define SERVICE_BUFFER_SIZE 4096

struct service_result {
	int64_t status; /* AV_OK or AV_E_* */
	uint64_t value[3];
};

struct service;

/* Of a quiesce: how long one hook may take, and when it ends by itself. */
struct service_limits {
	uint64_t hook_ms, hold_ms;
};

struct service_thawed {
	uint64_t held; /* 0: it had ended before */
	uint64_t mounts, hooks, failed;
};

struct service_ops {
	/* number is AV_HVC_*, args are x1..x6. */
	struct service_result (*hypercall)(void *context, uint32_t number, const uint64_t args[6]);
	void (*write)(void *context, const char *data, size_t size); /* one whole line */
	void (*flush)(void *context); /* all lines of a reply are written; may be NULL */
	/* Hold still; reports with service_report_*(). AV_E_WRONG_STATE: it does already. NULL, both: not here. */
	int64_t (*quiesce)(void *context, const struct service_limits *limits,
			   struct service *report);
	int64_t (*thaw)(void *context, struct service_thawed *thawed);
	void (*crash)(void *context); /* the test hook: crash in earnest; may be NULL */
	void (*hang)(void *context);  /* the test hook: never wait again; may be NULL */
};

struct service {
	const struct service_ops *ops;
	void *context;
	const char *version;
	bool privileged;     /* the control VM's: all verbs */
	void *buffer;        /* SERVICE_BUFFER_SIZE bytes that hypercalls fill, 8-byte aligned */
	uint64_t buffer_ipa; /* its address for the hypervisor */

	void (*hook_armed)(void *context); /* strikes at the next command */
	bool facts_known; /* what follows never changes while the hypervisor runs */
	uint64_t boots;
	uint64_t features;
	bool debug;
	uint32_t vm_count;
	char vm_names[AV_VM_MAX][AV_NAME_SIZE];

	uint64_t id; /* of the request in work */
	struct line line;
	struct line_out out;
	struct line_feed feed;
	char reply[AV_LINE_MAX];
};

/* Fill ops, context, version, privileged, buffer and buffer_ipa of a zeroed service first. */
void service_open(struct service *service);  /* a client has connected: says hello */
void service_close(struct service *service); /* it has left: half a line of it is dropped */
void service_input(struct service *service, const char *data, size_t size);

/* For ops->quiesce: a row for each hook ("done", "failed", "timeout"), then the ok line. */
void service_report_hook(struct service *service, const char *name, const char *result,
			 uint64_t code);
void service_report_quiesced(struct service *service, uint64_t mounts, uint64_t hooks,
			     uint64_t failed);
