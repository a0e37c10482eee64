/* SPDX-License-Identifier: MIT */
/*
 * ctx.c - which set a command line is about, its lock, and the way to its agent.
 * Changes nothing on disk but the lock file's text.
 */
#include "cmd/ctx.h"
#include "cmd/clones.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "config/value.h"
#include "machine/paths.h"

#define DEFAULT_TIMEOUT_NS 10000000000u

const char *ctx_option(const struct ctx *ctx, const char *name)
{
	const struct option_spec *options = ctx->command->options;

	for (size_t i = 0; options && options[i].name; i++) {
		if (!strcmp(options[i].name, name))
			return ctx->values[i];
	}
	return NULL;
}

bool ctx_flag(const struct ctx *ctx, const char *name)
{
	return ctx_option(ctx, name) != NULL;
}

const char *ctx_arg(const struct ctx *ctx, int index)
{
	return index < ctx->arg_count ? ctx->args[index] : NULL;
}

int ctx_number_option(const struct ctx *ctx, const char *name, uint64_t *value)
{
	const char *text = ctx_option(ctx, name);

	if (text && !line_to_number(text, value))
		return out_error(RC_USAGE, NULL, "--%s needs a number, not \"%s\"", name, text);
	return RC_OK;
}

bool ctx_duration(const char *text, uint64_t *ns)
{
	static const struct {
		const char *suffix;
		double ns;
	} units[] = {{"", 1e9},   {"s", 1e9},    {"ms", 1e6},    {"us", 1e3},
		     {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {"w", 604800e9}};
	char *end;
	double value;

	if (*text < '0' || *text > '9')
		return false;
	value = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(end, units[i].suffix) && value * units[i].ns < 9e18) {
			*ns = (uint64_t)(value * units[i].ns);
			return true;
		}
	}
	return false;
}

int ctx_timeout(const struct ctx *ctx, uint64_t fallback, uint64_t *ns)
{
	*ns = fallback;
	if (ctx->globals.timeout && !ctx_duration(ctx->globals.timeout, ns))
		return out_error(RC_USAGE, "--timeout 30s, 500ms or 2m", "\"%s\" is not a duration",
				 ctx->globals.timeout);
	return RC_OK;
}

/* The record of the running or dead set of that name; NULL when there is none. */
static struct record *load_named(const char *name)
{
	char *folder = paths_runtime(name);
	struct record *record = value_is_name(name) ? record_load(folder) : NULL;

	free(folder);
	return record;
}

static struct record *find_by_path(const char *path)
{
	char **sets = paths_sets();
	struct record *found = NULL;

	for (size_t i = 0; sets && sets[i] && !found; i++) {
		struct record *record = load_named(sets[i]);

		if (record && !strcmp(record->set->path, path))
			found = record;
		else
			record_free(record);
	}
	paths_sets_free(sets);
	return found;
}

/* What chooses the set: a file, a name, or neither. */
struct choice {
	const char *file;
	const char *name;
};

static bool is_file_name(const char *text)
{
	size_t length = strlen(text);

	return strchr(text, '/') || (length > 5 && !strcmp(text + length - 5, ".yaml")) ||
	       (length > 4 && !strcmp(text + length - 4, ".yml"));
}

static struct choice choose(const struct ctx *ctx)
{
	const char *env = getenv("AVCTL_SET");
	struct choice choice = {ctx->globals.file, ctx->globals.set};

	if (choice.file || choice.name)
		return choice;
	if (env && *env) {
		if (is_file_name(env))
			choice.file = env;
		else
			choice.name = env;
	} else if (access("avctl.yaml", F_OK) == 0) {
		choice.file = "avctl.yaml";
	}
	return choice;
}

bool ctx_is_chosen(const struct ctx *ctx)
{
	struct choice choice = choose(ctx);

	return choice.file || choice.name;
}

static int not_running(const struct ctx *ctx, const char *what, const char *file)
{
	char hint[PATH_MAX + 32];

	if (ctx->missing_is_fine)
		return RC_UNREACHABLE;
	if (file)
		return out_error(RC_UNREACHABLE,
				 out_text(hint, sizeof(hint), "avctl -f %s up", file),
				 "%s is not running", what);
	return out_error(RC_UNREACHABLE, "avctl -f FILE.yaml up", "%s is not running", what);
}

int ctx_no_such_set(const char *name, int code)
{
	char **sets = paths_sets();
	size_t count = 0, used;
	const char *near;
	char hint[512];

	while (sets && sets[count])
		count++;
	near = count ? out_nearest(name, (const char *const *)sets, count) : NULL;
	if (near)
		snprintf(hint, sizeof(hint), "did you mean avctl -s %s? ", near);
	else
		snprintf(hint, sizeof(hint), "avctl -f FILE.yaml up; ");
	used = strlen(hint);
	used += (size_t)snprintf(hint + used, sizeof(hint) - used,
				 count ? "the sets that run:" : "no set runs");
	for (size_t i = 0; i < count && used < sizeof(hint); i++)
		used += (size_t)snprintf(hint + used, sizeof(hint) - used, "%s %s", i ? "," : "",
					 sets[i]);
	paths_sets_free(sets);
	return out_error(code, hint, "no set \"%s\" is running", name);
}

static int find_by_name(struct ctx *ctx, const char *name)
{
	ctx->record = load_named(name);
	if (ctx->record)
		return RC_OK;
	return ctx->missing_is_fine ? RC_UNREACHABLE : ctx_no_such_set(name, RC_UNREACHABLE);
}

static int find_by_file(struct ctx *ctx, const char *file)
{
	char *path = realpath(file, NULL);
	struct set_errors errors = {0};
	struct set *set;

	if (!path)
		return out_error(RC_BAD_CONFIG,
				 "avctl -f FILE.yaml ..., or avctl -s NAME for a set that runs",
				 "%s: %s", file, strerror(errno));
	ctx->record = find_by_path(path);
	if (ctx->record) {
		free(path);
		return RC_OK;
	}
	/* Not running: say so by the set's name when the file has a good one. */
	set = set_load(path, &errors);
	if (!set) {
		set_errors_print(&errors, stderr);
		set_errors_free(&errors);
		free(path);
		return RC_BAD_CONFIG;
	}
	ctx->record = load_named(set->name);
	if (ctx->record) {
		char hint[256];

		if (!ctx->missing_is_fine)
			out_error(RC_UNREACHABLE,
				  out_text(hint, sizeof(hint), "avctl -s %s ...", set->name),
				  "%s is not running, but another set \"%s\" is, from %s", file,
				  set->name, ctx->record->set->path);
		record_free(ctx->record);
		ctx->record = NULL;
	} else {
		char what[128];

		not_running(ctx, out_text(what, sizeof(what), "set \"%s\"", set->name), file);
	}
	set_free(set);
	set_errors_free(&errors);
	free(path);
	return RC_UNREACHABLE;
}

static int find_only_one(struct ctx *ctx)
{
	char **sets = paths_sets();
	char names[512] = "";
	struct record *only = NULL;
	size_t alive = 0, known = 0;

	for (size_t i = 0; sets && sets[i]; i++) {
		struct record *record = load_named(sets[i]);

		if (!record)
			continue;
		known++;
		if (record_alive(record)) {
			size_t used = strlen(names);

			snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
				 sets[i]);
			if (alive++ == 0) {
				record_free(only);
				only = record;
				continue;
			}
		} else if (!only && alive == 0) {
			only = record;
			continue;
		}
		record_free(record);
	}
	paths_sets_free(sets);
	if (alive == 1 || (alive == 0 && known == 1)) {
		ctx->record = only;
		return RC_OK;
	}
	record_free(only);
	if (alive > 1)
		return out_error(RC_USAGE, "avctl -s NAME ...", "several sets are running: %s",
				 names);
	if (ctx->missing_is_fine)
		return RC_UNREACHABLE;
	return out_error(
		RC_UNREACHABLE, "avctl -f FILE.yaml up",
		known ? "no set is running"
		      : "no set is running, and none was named (-f, -s, $AVCTL_SET, ./avctl.yaml)");
}

static int find_record(struct ctx *ctx)
{
	struct choice choice = choose(ctx);

	if (ctx->record)
		return RC_OK;
	if (choice.name)
		return find_by_name(ctx, choice.name);
	if (choice.file)
		return find_by_file(ctx, choice.file);
	return find_only_one(ctx);
}

int ctx_find_set(struct ctx *ctx)
{
	return find_record(ctx);
}

int ctx_need_record(struct ctx *ctx)
{
	char how[128], hint[PATH_MAX + 64];
	int result = find_record(ctx);

	if (result != RC_OK || record_alive(ctx->record))
		return result;
	if (ctx->record->pid == 0)
		return out_error(
			RC_UNREACHABLE,
			out_text(hint, sizeof(hint), "avctl -f %s up", ctx->record->set->path),
			"set \"%s\" is not running: its last `up` did not finish",
			ctx->record->set->name);
	record_last_exit(ctx->record, how, sizeof(how));
	return out_error(RC_UNREACHABLE,
			 out_text(hint, sizeof(hint),
				  "avctl -f %s up (why it ended: avctl -s %s logs --qemu)",
				  ctx->record->set->path, ctx->record->set->name),
			 "the machine of set \"%s\" is not running (last exit: %s)",
			 ctx->record->set->name, how);
}

int ctx_find_file(struct ctx *ctx, char **path)
{
	struct choice choice = choose(ctx);
	int result;

	*path = NULL;
	if (choice.file) {
		*path = realpath(choice.file, NULL);
		if (*path)
			return RC_OK;
		return out_error(RC_BAD_CONFIG, "avctl -f FILE.yaml ...", "%s: %s", choice.file,
				 strerror(errno));
	}
	if (!choice.name) {
		char **sets = paths_sets();
		bool none = !sets || !sets[0];

		paths_sets_free(sets);
		if (none)
			return out_error(RC_USAGE, "avctl -f FILE.yaml ...",
					 "no YAML file given, and there is no ./avctl.yaml");
	}
	result = find_record(ctx);
	if (result == RC_OK)
		*path = strdup(ctx->record->set->path);
	return result;
}

int ctx_need_agent(struct ctx *ctx)
{
	enum agent_status status;
	uint64_t timeout;
	int result = ctx_need_record(ctx);

	if (result == RC_OK)
		result = ctx_timeout(ctx, DEFAULT_TIMEOUT_NS, &timeout);
	if (result == RC_OK)
		result = ctx_lock(ctx, ctx->record->set->name);
	if (result != RC_OK)
		return result;
	if (ctx->agent) {
		agent_deadline(ctx->agent, agent_now() + timeout);
		return RC_OK;
	}
	ctx->agent =
		agent_open(ctx->record->runtime_dir, "control", agent_now() + timeout, &status);
	if (!ctx->agent)
		return out_error(RC_UNREACHABLE, "avctl ps, avctl logs --hypervisor",
				 "the control agent of set \"%s\" cannot be reached",
				 ctx->record->set->name);
	return RC_OK;
}

static bool has_vm(const struct set *set, const char *name, const struct set_vm **vm)
{
	for (size_t i = 0; i < set->vm_count; i++) {
		if (!strcmp(set->vms[i].name, name)) {
			*vm = &set->vms[i];
			return true;
		}
	}
	return false;
}

int ctx_need_vm(struct ctx *ctx, const char *name, const struct set_vm **vm)
{
	const struct set *set = ctx->record->set;
	const char *names[AV_VM_MAX];
	const char *near;
	char hint[512] = "";
	size_t count = 0, used = 0;
	int result;

	if (has_vm(set, name, vm))
		return RC_OK;
	result = clones_learn(ctx);
	if (result != RC_OK)
		return result;
	if (has_vm(set, name, vm))
		return RC_OK;
	while (count < set->vm_count && count < AV_VM_MAX) {
		names[count] = set->vms[count].name;
		count++;
	}
	if (!strcmp(name, "control"))
		return out_error(RC_WRONG_STATE, "avctl ps -a shows it",
				 "the control VM cannot be changed or snapshotted");
	near = out_nearest(name, names, count);
	if (near) {
		snprintf(hint, sizeof(hint), "did you mean %s?", near);
	} else {
		used = (size_t)snprintf(hint, sizeof(hint), "the VMs are");
		for (size_t i = 0; i < count && used < sizeof(hint); i++)
			used += (size_t)snprintf(hint + used, sizeof(hint) - used, "%s %s",
						 i ? "," : "", names[i]);
	}
	return out_error(RC_NOT_FOUND, hint, "no VM \"%s\" in set \"%s\"", name, set->name);
}

void ctx_release(struct ctx *ctx)
{
	agent_close(ctx->agent);
	ctx->agent = NULL;
	ctx_unlock(ctx);
}

int ctx_find_name(struct ctx *ctx, char **name)
{
	struct choice choice = choose(ctx);
	struct set_errors errors = {0};
	struct set *set;
	char *path;
	int result;

	*name = NULL;
	ctx->missing_is_fine = choice.file || choice.name;
	result = ctx_find_set(ctx);
	ctx->missing_is_fine = false;
	if (result == RC_OK) {
		*name = strdup(ctx->record->set->name);
		return RC_OK;
	}
	if (result != RC_UNREACHABLE)
		return result;
	if (choice.name) {
		*name = strdup(choice.name);
		return RC_OK;
	}
	if (!choice.file)
		return result;
	result = ctx_find_file(ctx, &path);
	if (result != RC_OK)
		return result;
	set = set_load(path, &errors);
	free(path);
	if (!set)
		set_errors_print(&errors, stderr);
	else
		*name = strdup(set->name);
	set_errors_free(&errors);
	set_free(set);
	return *name ? RC_OK : RC_BAD_CONFIG;
}

void ctx_close(struct ctx *ctx)
{
	agent_close(ctx->agent);
	ctx->agent = NULL;
	ctx_unlock(ctx);
	record_free(ctx->record);
	ctx->record = NULL;
}
