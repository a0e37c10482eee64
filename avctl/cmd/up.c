/* SPDX-License-Identifier: MIT */
/*
 * up.c - `avctl up`: from a checked YAML file to a machine whose control agent answers.
 * Killed at any point it leaves either nothing, or a record that the next `up` or `down` cleans up
 * after.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "bundle/bundle.h"
#include "cmd/config_file.h"
#include "cmd/ctx.h"
#include "cmd/logfile.h"
#include "cmd/snapshot_files.h"
#include "machine/paths.h"
#include "machine/qemu.h"

#define UP_TIMEOUT_NS 30000000000u
#define HELLO_STEP_NS 500000000u

/* All that `up` works out before it changes anything. */
struct plan {
	struct set *set;
	struct files_from *from; /* --from, or NULL */
	char *hash;
	char *runtime_dir, *log_dir, *ram_file;
	char *hypervisor, *control;
	char **args;
};

static void plan_free(struct plan *plan)
{
	files_from_free(plan->from);
	set_free(plan->set);
	free(plan->hash);
	free(plan->runtime_dir);
	free(plan->log_dir);
	free(plan->ram_file);
	free(plan->hypervisor);
	free(plan->control);
	qemu_args_free(plan->args);
}

static int find_images(struct plan *plan)
{
	plan->hypervisor = paths_image("hypervisor.elf");
	plan->control = paths_image("control.elf");
	if (plan->hypervisor && plan->control)
		return RC_OK;
	return out_error(RC_FAILED, "make, make install, or set $AVCTL_LIBDIR to their folder",
			 "%s is not beside avctl nor where it is installed",
			 plan->hypervisor ? "control.elf" : "hypervisor.elf");
}

static int make_plan(struct ctx *ctx, struct plan *plan)
{
	char tried[512], hint[640], *path, *ram_dir;
	struct qemu_files files;
	int result = ctx_find_file(ctx, &path);

	if (result == RC_OK)
		result = config_load(path, &plan->set, &plan->hash);
	free(path);
	if (result == RC_OK)
		result = find_images(plan);
	if (result == RC_OK && ctx_option(ctx, "from"))
		result = files_from_parse(ctx_option(ctx, "from"), plan->set, &plan->from);
	if (result != RC_OK)
		return result;
	plan->runtime_dir = paths_runtime(plan->set->name);
	plan->log_dir = paths_logs(plan->set->name);
	ram_dir = paths_ram_dir(plan->set->memory, tried, sizeof(tried));
	/* A set that runs has its room already. */
	if (!ram_dir && !ctx_flag(ctx, "dry-run"))
		return out_error(RC_FAILED,
				 out_text(hint, sizeof(hint),
					  "free some room, ask for less (machine.memory), or set "
					  "$AVCTL_RAM_DIR; tried %s",
					  tried),
				 "no folder has room for the machine's %" PRIu64 " MiB of memory",
				 plan->set->memory >> 20);
	plan->ram_file = paths_ram_file(ram_dir ? ram_dir : "/dev/shm", plan->set->name);
	free(ram_dir);
	files = (struct qemu_files){plan->hypervisor, plan->ram_file, plan->log_dir};
	plan->args = qemu_args(plan->set, &files);
	return RC_OK;
}

static void print_plan(const struct plan *plan)
{
	json_t *list;

	if (out_style.format != OUT_JSON && out_style.format != OUT_JSONL) {
		printf("cd %s && ", plan->runtime_dir);
		qemu_args_print(plan->args, stdout);
		return;
	}
	list = json_array();
	for (size_t i = 0; plan->args[i]; i++)
		json_array_append_new(list, json_string(plan->args[i]));
	out_json(json_pack("{s:s, s:s, s:s, s:o}", "set", plan->set->name, "runtime_dir",
			   plan->runtime_dir, "ram_file", plan->ram_file, "argv", list));
}

/* Say why QEMU ended, from its own words or the hypervisor's. */
static int say_ended(const struct record *record, int code, const char *what)
{
	static const char *const logs[] = {"qemu.log", "hypervisor.log"};
	char path[PATH_MAX], line[512], how[128], hint[PATH_MAX + 32];

	snprintf(hint, sizeof(hint), "the whole story: %s/qemu.log, %s/hypervisor.log",
		 record->log_dir, record->log_dir);
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", record->log_dir, logs[i]);
		if (*logfile_last_line(path, line, sizeof(line)))
			return out_error(code, hint, "%s; last line of %s: %s", what, logs[i],
					 line);
	}
	if (code == RC_TIMEOUT)
		return out_error(code, hint, "%s", what);
	return out_error(code, hint, "%s (last exit: %s)", what,
			 record_last_exit(record, how, sizeof(how)));
}

/* Wait until the control agent says hello. */
static int wait_for_agent(struct ctx *ctx, const struct record *record)
{
	struct agent_request request;
	struct agent_reply reply;
	uint64_t timeout, deadline;
	int result = ctx_timeout(ctx, UP_TIMEOUT_NS, &timeout);
	char what[128], took[32];

	if (result != RC_OK)
		return result;
	deadline = agent_now() + timeout;
	out_progress("%s: waiting for the control agent", record->set->name);
	while (agent_now() < deadline) {
		uint64_t step = agent_now() + HELLO_STEP_NS < deadline ? agent_now() + HELLO_STEP_NS
								       : deadline;
		enum agent_status status;
		struct agent *agent;

		if (!record_alive(record))
			return say_ended(record, RC_FAILED, "the machine ended while it started");
		agent = agent_open(record->runtime_dir, "control", step, &status);
		if (agent) {
			agent_begin(&request, "hello");
			status = agent_call(agent, &request, NULL, false, &reply);
			agent_close(agent);
		}
		if (status == AGENT_OK)
			return RC_OK;
		if (status == AGENT_ERROR)
			return out_error(RC_FAILED, "avctl version",
					 "the control agent refused: %s", reply.code);
		if (!agent)
			nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return say_ended(record, RC_TIMEOUT,
			 out_text(what, sizeof(what), "the control agent did not answer within %s",
				  out_duration(took, timeout)));
}

static int make_ram(const struct plan *plan, uint64_t *region_pa)
{
	struct bundle_error error = {"", ""};
	int result = RC_OK;
	int fd = open(plan->ram_file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return out_error(RC_FAILED, "avctl doctor", "%s: %s", plan->ram_file,
				 strerror(errno));
	if (ftruncate(fd, (off_t)plan->set->memory) < 0)
		result = out_error(RC_FAILED, "avctl doctor", "%s: %s", plan->ram_file,
				   strerror(errno));
	else if (bundle_write(plan->set, plan->control, fd, region_pa, &error) < 0)
		result = out_error(RC_BAD_CONFIG, error.hint, "%s", error.message);
	close(fd);
	return result;
}

/* A record that borrows what the plan owns. */
static struct record record_of(const struct plan *plan, uint64_t *region_pa)
{
	return (struct record){
		.set = plan->set,
		.runtime_dir = plan->runtime_dir,
		.log_dir = plan->log_dir,
		.ram_file = plan->ram_file,
		.config_hash = plan->hash,
		.started = (uint64_t)time(NULL),
		.region_pa = region_pa,
		.argv = plan->args,
	};
}

static int start_qemu(struct record *record)
{
	int error;

	record->pid =
		qemu_start(record->argv, record->runtime_dir, record->log_dir, &record->pid_start);
	if (record->pid < 0) {
		error = errno;
		record->pid = 0;
		return out_error(RC_FAILED,
				 error == ENOENT ? "apt install qemu-system-arm, or set $AVCTL_QEMU"
						 : "avctl doctor",
				 "cannot start %s: %s", record->argv[0], strerror(error));
	}
	if (record_save(record) < 0)
		return out_error(RC_FAILED, "avctl doctor", "%s: %s", record->runtime_dir,
				 strerror(errno));
	return RC_OK;
}

/* With the lock held and nothing of this set running. */
static int start_machine(struct ctx *ctx, const struct plan *plan)
{
	uint64_t *region_pa = calloc(plan->set->region_count + 1, sizeof(*region_pa));
	struct record record = record_of(plan, region_pa);
	int result;

	if (!region_pa)
		return out_error(RC_FAILED, NULL, "out of memory");
	logfile_rotate(plan->log_dir);
	/* Of an `up` that was killed before it wrote a record; ours by its name. */
	unlink(plan->ram_file);
	if (record_save(&record) < 0) {
		free(region_pa);
		return out_error(RC_FAILED, "avctl doctor", "%s: %s", plan->runtime_dir,
				 strerror(errno));
	}
	out_progress("%s: laying out %" PRIu64 " MiB in %s", plan->set->name,
		     plan->set->memory >> 20, plan->ram_file);
	result = make_ram(plan, region_pa);
	if (result == RC_OK)
		result = record_save(&record) < 0 ? out_error(RC_FAILED, "avctl doctor", "%s: %s",
							      plan->runtime_dir, strerror(errno))
						  : start_qemu(&record);
	if (result == RC_OK)
		result = wait_for_agent(ctx, &record);
	if (result == RC_OK && plan->from) {
		ctx->record = record_load(plan->runtime_dir);
		result = ctx->record ? files_from_start(ctx, plan->from)
				     : out_error(RC_FAILED, "avctl doctor", "%s: %s",
						 plan->runtime_dir, strerror(errno));
	}
	if (result != RC_OK) {
		if (record.pid > 0)
			qemu_stop(record.pid, record.pid_start, 2000000000u);
		machine_clean(plan->runtime_dir, plan->ram_file);
	}
	free(region_pa);
	return result;
}

static void say_up(const struct record *record, const char *how)
{
	const struct set *set = record->set;

	out_progress(NULL);
	if (out_style.format == OUT_NAME) {
		puts(set->name);
	} else if (out_style.format != OUT_TABLE) {
		out_json(json_pack("{s:s, s:s, s:i, s:s, s:s}", "set", set->name, "result", how,
				   "vms", (int)set->vm_count, "ram_file", record->ram_file,
				   "log_dir", record->log_dir));
	} else {
		printf("%s is up%s: ", set->name, strcmp(how, "started") ? " already" : "");
		for (size_t i = 0; i < set->vm_count; i++)
			printf("%s%s", i ? ", " : "", set->vms[i].name);
		putchar('\n');
	}
}

/* A record is there: RC_OK with *done when the set runs, else cleaned up. */
static int look_at_old(struct ctx *ctx, const struct plan *plan, bool *done)
{
	struct record *record = record_load(plan->runtime_dir);
	char how[128], hint[256];
	int result = RC_OK;

	*done = false;
	if (!record) {
		machine_clean(plan->runtime_dir, NULL);
		return RC_OK;
	}
	if (!record_alive(record)) {
		out_note("cleaning up after the last run (%s)",
			 record->pid ? record_last_exit(record, how, sizeof(how))
				     : "its start was interrupted");
		machine_clean(plan->runtime_dir, record->ram_file);
	} else if (strcmp(record->set->path, plan->set->path) != 0) {
		result = out_error(RC_WRONG_STATE,
				   out_text(hint, sizeof(hint),
					    "avctl -s %s down, or another name: in the YAML",
					    plan->set->name),
				   "a set \"%s\" is running already, from %s", plan->set->name,
				   record->set->path);
	} else if (plan->from) {
		result = out_error(RC_WRONG_STATE,
				   "avctl snapshot import VM FILE, or avctl down first",
				   "the set \"%s\" is running already", plan->set->name);
	} else {
		*done = true;
		result = wait_for_agent(ctx, record);
		if (result == RC_OK && strcmp(record->config_hash, plan->hash) != 0)
			out_note("%s has changed since; `avctl down` and `avctl up` to use it",
				 plan->set->path);
		if (result == RC_OK)
			say_up(record, "running");
	}
	record_free(record);
	return result;
}

static int make_folders(const struct plan *plan)
{
	if (paths_make(plan->runtime_dir) < 0)
		return out_error(RC_FAILED, "$XDG_RUNTIME_DIR must be a folder of yours", "%s: %s",
				 plan->runtime_dir, strerror(errno));
	if (paths_make(plan->log_dir) < 0)
		return out_error(RC_FAILED, "$XDG_STATE_HOME must be a folder of yours", "%s: %s",
				 plan->log_dir, strerror(errno));
	return RC_OK;
}

int cmd_up(struct ctx *ctx)
{
	struct plan plan = {0};
	bool done;
	int result = make_plan(ctx, &plan);

	if (result == RC_OK && ctx_flag(ctx, "dry-run")) {
		print_plan(&plan);
		goto out;
	}
	if (result == RC_OK)
		result = make_folders(&plan);
	if (result == RC_OK)
		result = ctx_lock(ctx, plan.set->name);
	if (result == RC_OK)
		result = look_at_old(ctx, &plan, &done);
	if (result == RC_OK && !done) {
		struct record record = record_of(&plan, NULL);

		result = start_machine(ctx, &plan);
		if (result == RC_OK)
			say_up(&record, "started");
	}
out:
	plan_free(&plan);
	return result;
}
