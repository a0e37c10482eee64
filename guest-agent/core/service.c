/* SPDX-License-Identifier: MIT */
/*
 * service.c - the agent's core: connections, dispatch, errors, and what the verbs share.
 * Must never speak unasked but for the hello of a new connection, and must answer every line that has something
 * in it, whatever it is.
 */
#include "core/service_verbs.h"

static int64_t service_hello(struct service *service);
static int64_t service_hook(struct service *service);

static const struct verb {
	const char *name;
	service_handler handler;
	const char *keys; /* what it takes, each followed by a space */
	bool everywhere;  /* not only in the control VM */
} verbs[] = {
	{"hello", service_hello, "", true},
	{"ping", service_ok, "", true},
	{"quiesce", service_quiesce, "hook_ms hold_ms ", true},
	{"thaw", service_thaw, "", true},
	{"vms", service_vms, "", false},
	{"vm", service_vm, "vm ", false},
	{"stats", service_stats, "vm ", false},
	{"machine", service_machine, "", false},
	{"pause", service_pause, "vm ", false},
	{"resume", service_resume, "vm ", false},
	{"stop", service_stop, "vm ", false},
	{"start", service_start, "vm paused ", false},
	{"restart", service_restart, "vm paused ", false},
	{"take", service_take, "vm name request ", false},
	{"restore", service_restore, "vm id name latest boot undo keep_undo paused ", false},
	{"snapshots", service_snapshots, "vm ", false},
	{"clone", service_clone, "vm id name latest boot as slot paused ", false},
	{"remove", service_remove, "vm ", false},
	{"delete", service_delete, "vm id name undo ", false},
	{"set", service_set, "vm id name new_name pinned ", false},
	{"take-all", service_take_all, "name request ", false},
	{"restore-all", service_restore_all, "id name latest undo keep_undo paused ", false},
	{"delete-all", service_delete_all, "id name latest undo ", false},
	{"sets", service_sets, "", false},
	{"diff", service_diff, "vm a b from ", false},
	{"state", service_state, "vm id ", false},
	{"shape", service_shape, "vm ", false},
	{"places", service_places, "vm id ", false},
	{"import-begin", service_import_begin, "vm ", false},
	{"import-pages", service_import_pages, "vm ipa count ", false},
	{"import-commit", service_import_commit, "vm name vm_ticks state ", false},
	{"import-abort", service_import_abort, "", false},
	{"regions", service_regions, "", false},
	{"events", service_events, "since ", false},
	{"log", service_log, "since ", false},
	{"drain", service_drain, "vm ", false},
	{"audit", service_audit, "vm ", false},
	{"hook", service_hook, "name ", false},
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static const struct {
	int64_t status;
	const char *name;
	const char *message;
} errors[] = {
	{AV_E_NOT_SUPPORTED, "NOT_SUPPORTED", "this hypervisor does not do that"},
	{AV_E_INVALID, "INVALID", "an argument is out of range"},
	{AV_E_DENIED, "DENIED", "not allowed for that VM"},
	{AV_E_NOT_FOUND, "NOT_FOUND", "no such thing"},
	{AV_E_WRONG_STATE, "WRONG_STATE", "the state of the VM does not allow it"},
	{AV_E_NO_MEMORY, "NO_MEMORY", "the memory budget of the VM does not allow it"},
	{AV_E_BAD_ADDRESS, "BAD_ADDRESS", "the agent gave a bad address"},
	{AV_E_EXISTS, "EXISTS", "that name is taken"},
	{AV_E_PINNED, "PINNED", "the snapshot is pinned"},
	{AV_E_LIMIT, "LIMIT", "a limit is reached"},
	{AV_E_INTEGRITY, "INTEGRITY",
	 "the audit found a wrong count, or a state is none that a VM can be in"},
	{AV_E_MISMATCH, "MISMATCH", "the region of that key has another size"},
	{AV_E_NOT_ATTACHED, "NOT_ATTACHED", "the VM is not a member of that region"},
	{AV_E_EXHAUSTED, "EXHAUSTED", "the memory for regions is used up"},
	{AV_E_IN_USE, "IN_USE", "a clone shares its pages, or a set snapshot has a part of it"},
};

struct service_result service_call(struct service *service, uint32_t number, uint64_t x1,
				   uint64_t x2, uint64_t x3, uint64_t x4, uint64_t x5)
{
	uint64_t args[6] = {x1, x2, x3, x4, x5, 0};

	return service->ops->hypercall(service->context, number, args);
}

struct line_out *service_begin(struct service *service, const char *verb)
{
	line_begin(&service->out, service->reply, sizeof(service->reply), service->id, verb);
	return &service->out;
}

void service_send(struct service *service)
{
	size_t size = line_end(&service->out);

	if (size > 0)
		service->ops->write(service->context, service->reply, size);
}

int64_t service_done(struct service *service)
{
	service_send(service);
	return 0;
}

int64_t service_ok(struct service *service)
{
	service_begin(service, "ok");
	return service_done(service);
}

/* vm: whose fault it is, or NULL. */
static void send_error_of(struct service *service, const char *code, const char *message,
			  const char *vm)
{
	struct line_out *out = service_begin(service, "err");

	line_add_text(out, "code", code);
	if (message)
		line_add_text(out, "msg", message);
	if (vm)
		service_add_name(out, "vm", vm);
	service_send(service);
}

static void send_error(struct service *service, const char *code, const char *message)
{
	send_error_of(service, code, message, NULL);
}

int64_t service_refuse(struct service *service, const char *message)
{
	send_error(service, "INVALID", message);
	return SERVICE_ANSWERED;
}

static void send_status(struct service *service, int64_t status, const char *vm)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].status == status) {
			send_error_of(service, errors[i].name, errors[i].message, vm);
			return;
		}
	}
	send_error(service, "NOT_SUPPORTED", "the hypervisor answered with an unknown code");
}

int64_t service_fail_for(struct service *service, int64_t status, uint64_t vm)
{
	send_status(service, status, service_vm_name(service, (uint32_t)vm));
	return SERVICE_ANSWERED;
}

/* The control agent asks once; any other asks each time, as its generation grows with each restore. */
void service_learn(struct service *service)
{
	const struct av_machine_info *machine = service->buffer;
	const struct av_vm_info *vm = service->buffer;

	if (service->facts_known)
		return;
	service->features = service_call(service, AV_HVC_FEATURES, 0, 0, 0, 0, 0).value[0];
	service->debug = (service->features & AV_FEATURE_DEBUG) != 0;
	if (!service->privileged) {
		service->boots = 1;
		if (service_call(service, AV_HVC_VM_INFO, AV_VM_SELF, service->buffer_ipa,
				 sizeof(*vm), 0, 0)
			    .status == AV_OK)
			service->boots = vm->generation + 1;
		return;
	}
	if (service_call(service, AV_HVC_MACHINE_INFO, service->buffer_ipa, sizeof(*machine), 0, 0,
			 0)
		    .status != AV_OK)
		return;
	service->boots = machine->control_restarts + 1;
	service->vm_count = 0;
	for (uint32_t i = 0; i < AV_VM_MAX; i++) {
		if (service_call(service, AV_HVC_VM_INFO, i, service->buffer_ipa, sizeof(*vm), 0, 0)
			    .status != AV_OK)
			break;
		__builtin_memcpy(service->vm_names[i], vm->name, AV_NAME_SIZE);
		service->vm_count = i + 1;
	}
	service->facts_known = true;
}

const char *service_vm_name(struct service *service, uint32_t vm)
{
	service_learn(service);
	return vm < service->vm_count ? service->vm_names[vm] : NULL;
}

bool service_pad_name(char name[AV_NAME_SIZE], const char *text)
{
	size_t at = 0;

	for (; text[at]; at++) {
		if (at == AV_NAME_SIZE)
			return false;
		name[at] = text[at];
	}
	for (; at < AV_NAME_SIZE; at++)
		name[at] = '\0';
	return true;
}

bool service_same_name(const char a[AV_NAME_SIZE], const char b[AV_NAME_SIZE])
{
	for (size_t i = 0; i < AV_NAME_SIZE; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

int64_t service_target(struct service *service, uint64_t *vm)
{
	const char *text = line_text(&service->line, "vm");
	char name[AV_NAME_SIZE];

	if (!text || !*text)
		return service_refuse(service, "vm= is missing");
	if (!service_pad_name(name, text))
		return AV_E_NOT_FOUND;
	service_learn(service);
	for (uint32_t i = 0; i < service->vm_count; i++) {
		if (service_same_name(service->vm_names[i], name)) {
			*vm = i;
			return 0;
		}
	}
	send_error(service, "NOT_FOUND", "no VM of that name");
	return SERVICE_ANSWERED;
}

int64_t service_flag(struct service *service, const char *key, bool *value)
{
	uint64_t number = 0;

	*value = false;
	if (!line_find(&service->line, key))
		return 0;
	if (!line_number(&service->line, key, &number) || number > 1)
		return service_refuse(service, "a flag is neither 0 nor 1");
	*value = number == 1;
	return 0;
}

void service_add_name(struct line_out *out, const char *key, const char name[AV_NAME_SIZE])
{
	size_t length = 0;

	while (length < AV_NAME_SIZE && name[length])
		length++;
	line_add_bytes(out, key, name, length);
}

void service_add_id(struct line_out *out, const char *key, uint64_t id)
{
	if (id == AV_SNAPSHOT_BOOT)
		line_add_text(out, key, "boot");
	else if (id == AV_SNAPSHOT_UNDO)
		line_add_text(out, key, "undo");
	else if (id == AV_SNAPSHOT_NONE)
		line_add_text(out, key, "none");
	else
		line_add_number(out, key, id);
}

void service_add_state(struct line_out *out, uint64_t state)
{
	static const char *const names[] = {"running", "paused",  "starved",
					    "crashed", "stopped", "empty"};

	line_add_text(out, "state",
		      state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown");
}

static int64_t send_hello(struct service *service, const char *verb)
{
	struct line_out *out;

	service_learn(service);
	out = service_begin(service, verb);
	line_add_number(out, "proto", 1);
	line_add_text(out, "abi", "1.0");
	line_add_text(out, "version", service->version);
	line_add_hex(out, "features", service->features);
	line_add_number(out, "boots", service->boots);
	line_add_number(out, "vms", service->vm_count);
	line_add_number(out, "debug", service->debug);
	return service_done(service);
}
_Static_assert(AV_ABI_MAJOR == 1 && AV_ABI_MINOR == 0, "the hello says 1.0");

static int64_t service_hello(struct service *service)
{
	return send_hello(service, "ok");
}

static int64_t service_hook(struct service *service)
{
	const char *name = line_text(&service->line, "name");
	void (*hook)(void *context);
	int64_t status;

	if (name && line_same(name, "crash"))
		hook = service->ops->crash;
	else if (name && line_same(name, "hang"))
		hook = service->ops->hang;
	else
		return service_refuse(service, "name= must be crash or hang");
	if (!hook)
		return AV_E_NOT_SUPPORTED;
	status = service_call(service, AV_HVC_TEST_HOOK, AV_HOOK_AGENT_CRASH, 0, 0, 0, 0).status;
	if (status != AV_OK)
		return status;
	service->hook_armed = hook;
	return service_ok(service);
}

static bool key_is_known(const char *keys, const char *key)
{
	while (*keys) {
		const char *at = key;

		while (*at && *at == *keys) {
			at++;
			keys++;
		}
		if (!*at && *keys == ' ')
			return true;
		while (*keys++ != ' ')
			;
	}
	return false;
}

static int64_t run(struct service *service, const struct verb *verb)
{
	for (size_t i = 0; i < service->line.field_count; i++)
		if (!key_is_known(verb->keys, service->line.fields[i].key))
			return service_refuse(service, "an argument that this verb does not take");
	return verb->handler(service);
}

static void answer(struct service *service)
{
	int64_t status;

	if (service->hook_armed)
		service->hook_armed(service->context);
	for (size_t i = 0; i < VERB_COUNT; i++) {
		if (!service->privileged && !verbs[i].everywhere)
			continue;
		if (!line_same(verbs[i].name, service->line.verb))
			continue;
		status = run(service, &verbs[i]);
		if (status < 0)
			send_status(service, status, NULL);
		return;
	}
	send_error(service, "UNKNOWN_VERB", NULL);
}

static void take_line(struct service *service, enum line_event event)
{
	enum line_result result;

	if (event == LINE_TOO_LONG) {
		service->id = 0;
		send_error(service, "TOO_LONG", NULL);
		return;
	}
	result = line_parse(&service->line, service->feed.text, service->feed.length);
	service->id = service->line.id;
	if (result == LINE_PARSED)
		answer(service);
	else if (result == LINE_MALFORMED)
		send_error(service, "MALFORMED", NULL);
}

static void flush(struct service *service)
{
	if (service->ops->flush)
		service->ops->flush(service->context);
}

void service_open(struct service *service)
{
	line_feed_reset(&service->feed);
	service->id = 0;
	/* Of a client that died: an import is its connection's. */
	if (service->privileged)
		service_call(service, AV_HVC_IMPORT_ABORT, 0, 0, 0, 0, 0);
	send_hello(service, "hello");
	flush(service);
}

void service_close(struct service *service)
{
	line_feed_reset(&service->feed);
}

void service_input(struct service *service, const char *data, size_t size)
{
	enum line_event event;

	while ((event = line_feed_next(&service->feed, &data, &size)) != LINE_MORE) {
		take_line(service, event);
		flush(service);
	}
}
