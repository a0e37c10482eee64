/* SPDX-License-Identifier: MIT */
/*
 * service_verbs.h - inside the agent's core: the handlers of the verbs and what they share.
 *
 * A handler sends its rows and its ok line itself and returns 0, or returns AV_E_* and the dispatcher sends the
 * err line; after service_refuse() it returns what that returned.
 */
#pragma once

#include "core/service.h"

typedef int64_t (*service_handler)(struct service *service);

#define SERVICE_ANSWERED 1 /* the err line has been sent */

int64_t service_vms(struct service *service);
int64_t service_vm(struct service *service);
int64_t service_stats(struct service *service);
int64_t service_machine(struct service *service);
int64_t service_pause(struct service *service);
int64_t service_resume(struct service *service);
int64_t service_stop(struct service *service);
int64_t service_start(struct service *service);
int64_t service_restart(struct service *service);
int64_t service_drain(struct service *service);
int64_t service_audit(struct service *service);

int64_t service_take(struct service *service);
int64_t service_restore(struct service *service);
int64_t service_snapshots(struct service *service);
int64_t service_delete(struct service *service);
int64_t service_set(struct service *service);

/* Which snapshot of vm: exactly one of id, name and the flags that the verb takes. 0, SERVICE_ANSWERED, or AV_E_*. */
int64_t service_choose(struct service *service, uint64_t vm, uint64_t *id);
int64_t service_clone(struct service *service);
int64_t service_remove(struct service *service);

int64_t service_quiesce(struct service *service);
int64_t service_thaw(struct service *service);

int64_t service_diff(struct service *service);
int64_t service_state(struct service *service);

int64_t service_shape(struct service *service);
int64_t service_places(struct service *service);
int64_t service_import_begin(struct service *service);
int64_t service_import_pages(struct service *service);
int64_t service_import_commit(struct service *service);
int64_t service_import_abort(struct service *service);
int64_t service_take_all(struct service *service);
int64_t service_restore_all(struct service *service);
int64_t service_delete_all(struct service *service);
int64_t service_sets(struct service *service);

int64_t service_regions(struct service *service);
int64_t service_events(struct service *service);
int64_t service_log(struct service *service);

/* The call with up to five arguments. */
struct service_result service_call(struct service *service, uint32_t number, uint64_t x1,
				   uint64_t x2, uint64_t x3, uint64_t x4, uint64_t x5);

/* "row" or "ok": returns the line to add to; service_send() ends it. */
struct line_out *service_begin(struct service *service, const char *verb);
void service_send(struct service *service);
int64_t service_done(struct service *service); /* service_send() for the ok line; returns 0 */
int64_t service_ok(struct service *service);   /* an ok line with nothing in it */

/* err with that status, for VM number vm (AV_VM_NONE: for none). Returns SERVICE_ANSWERED. */
int64_t service_fail_for(struct service *service, int64_t status, uint64_t vm);

/* err code=INVALID with a message. */
int64_t service_refuse(struct service *service, const char *message);

/* vm=: 0 and its index, or AV_E_NOT_FOUND, or SERVICE_ANSWERED. */
int64_t service_target(struct service *service, uint64_t *vm);

/*
 * What a take is asked for by name= and request=: where the name lies for the call (0: none) and the request id (0: none). 0, or
 * SERVICE_ANSWERED. And what it answers.
 */
int64_t service_take_wants(struct service *service, uint64_t *name_ipa, uint64_t *request);
int64_t service_taken(struct service *service, const struct service_result *result);

/* A flag that may be absent (then 0): 0, or SERVICE_ANSWERED. */
int64_t service_flag(struct service *service, const char *key, bool *value);

/* The boot count, the features, the names: asked for once. */
void service_learn(struct service *service);
const char *service_vm_name(struct service *service, uint32_t vm);

void service_add_name(struct line_out *out, const char *key, const char name[AV_NAME_SIZE]);
void service_add_id(struct line_out *out, const char *key,
		    uint64_t id); /* boot, undo, none or a number */
void service_add_state(struct line_out *out, uint64_t state);

/* A name as the calls want it, NUL-padded; false when it is longer. */
bool service_pad_name(char name[AV_NAME_SIZE], const char *text);
bool service_same_name(const char a[AV_NAME_SIZE], const char b[AV_NAME_SIZE]);
