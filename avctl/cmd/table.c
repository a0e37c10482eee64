/* SPDX-License-Identifier: MIT */
/*
 * table.c - every verb of avctl: what it takes, what it is for, and how it can end. Help, man page,
 * completion and parsing are made from this; nothing about a verb is said anywhere else.
 */
#include "cmd/command.h"
#include "out/out.h"

#define VM_ARG                                         \
	{                                              \
		.name = "VM", .completer = COMPLETE_VM \
	}
#define VM_OPTIONAL                                                      \
	{                                                                \
		.name = "VM", .completer = COMPLETE_VM, .optional = true \
	}
#define ID_ARG                                                  \
	{                                                       \
		.name = "ID", .completer = COMPLETE_SNAPSHOT_ID \
	}
#define BIT(code) EXIT_BIT(code)

/* How verbs that ask the machine can end. */
#define ASK_EXITS \
	(BIT(RC_OK) | BIT(RC_USAGE) | BIT(RC_UNREACHABLE) | BIT(RC_TIMEOUT) | BIT(RC_WRONG_STATE))
#define VM_EXITS (ASK_EXITS | BIT(RC_NOT_FOUND))

const struct option_spec global_options[] = {
	{"file", 'f', "FILE", COMPLETE_FILE, "the YAML file of the set", NULL},
	{"set", 's', "NAME", COMPLETE_SET, "the running set of that name", NULL},
	{"output", 'o', "FORMAT", COMPLETE_FORMAT, "table, json, jsonl or name", NULL},
	{"timeout", 't', "TIME", COMPLETE_NONE, "give up after so long: 500ms, 30s, 2m", NULL},
	{"quiet", 'q', NULL, COMPLETE_NONE, "no notes and no progress on stderr", NULL},
	{"color", 0, "WHEN", COMPLETE_WORDS, "auto, always or never", "auto always never"},
	{"help", 'h', NULL, COMPLETE_NONE, "help on the verb", NULL},
	{NULL, 0, NULL, COMPLETE_NONE, NULL, NULL},
};

#define OPTIONS(...)                                             \
	(const struct option_spec[])                             \
	{                                                        \
		__VA_ARGS__,                                     \
		{                                                \
			NULL, 0, NULL, COMPLETE_NONE, NULL, NULL \
		}                                                \
	}
#define FLAG(name, letter, summary)                              \
	{                                                        \
		name, letter, NULL, COMPLETE_NONE, summary, NULL \
	}
#define VALUE(name, letter, value, completer, summary)        \
	{                                                     \
		name, letter, value, completer, summary, NULL \
	}

const struct command command_table[] = {
	{
		.name = "up",
		.summary = "start the machine and its VMs",
		.options =
			OPTIONS(FLAG("dry-run", 'n', "print the QEMU command and change nothing"),
				VALUE("from", 0, "VM=FILE", COMPLETE_NONE,
				      "start that VM from a file of `snapshot export`")),
		.description =
			"Checks the YAML file, lays out the machine's memory, starts QEMU "
			"and waits until the "
			"control agent answers. A set that runs already is left alone. "
			"--from takes a list with commas; such a VM does not boot, it goes on "
			"from the file's snapshot, which it then has. A file that is damaged "
			"or does not fit its VM is refused (9), and nothing is started.",
		.examples = {"avctl -f configs/duo.yaml up", "avctl up -n",
			     "avctl up --from vm1=clean.avs"},
		.exits = BIT(RC_OK) | BIT(RC_NOT_FOUND) | BIT(RC_INTEGRITY) | BIT(RC_FAILED) |
			 BIT(RC_USAGE) | BIT(RC_WRONG_STATE) | BIT(RC_BAD_CONFIG) |
			 BIT(RC_UNREACHABLE) | BIT(RC_TIMEOUT) | BIT(RC_INTERRUPTED),
		.run = cmd_up,
	},
	{
		.name = "down",
		.summary = "end the machine and remove its RAM file",
		.description = "Snapshots live in the machine's memory and go with it. Logs are "
			       "kept. A set that is down stays down: that is no error. A name (-s) "
			       "that no set ever had is one (3).",
		.examples = {"avctl down", "avctl -s duo down"},
		.exits = BIT(RC_OK) | BIT(RC_FAILED) | BIT(RC_USAGE) | BIT(RC_NOT_FOUND) |
			 BIT(RC_WRONG_STATE) | BIT(RC_BAD_CONFIG),
		.run = cmd_down,
	},
	{
		.name = "ps",
		.alias = "ls",
		.summary = "list the VMs and their states",
		.options = OPTIONS(FLAG("all", 'a', "the control VM and empty slots too"),
				   FLAG("sets", 0, "list the sets on this host instead")),
		.examples = {"avctl ps", "avctl ps -o json", "avctl ps --sets"},
		.exits = ASK_EXITS,
		.run = cmd_ps,
	},
	{
		.name = "status",
		.summary = "show the machine, or one VM in full",
		.args = {VM_OPTIONAL},
		.examples = {"avctl status", "avctl status vm1 -o json"},
		.exits = VM_EXITS,
		.run = cmd_status,
	},
#include "cmd/table_top.def"
	{
		.name = "wait",
		.summary = "wait until a VM is in a state",
		.args = {VM_ARG, {.name = "STATE", .completer = COMPLETE_STATE}},
		.options = OPTIONS(FLAG("new", 0, "log=: only text printed from now on")),
		.description = "STATE is running, paused, starved, crashed, stopped, or log=TEXT: "
			       "until TEXT stands in the log of its console. Text that was printed "
			       "before counts too, unless --new is given.",
		.examples = {"avctl wait vm1 stopped --timeout 30s", "avctl wait vm1 'log=login:'",
			     "avctl wait vm1 'log=tick' --new --timeout 5s"},
		.exits = VM_EXITS,
		.run = cmd_wait,
	},
	{
		.name = "pause",
		.summary = "hold VMs; their clocks stand still",
		.args = {{.name = "VM", .completer = COMPLETE_VM, .repeat = true}},
		.examples = {"avctl pause vm1"},
		.exits = VM_EXITS | BIT(RC_PARTLY),
		.run = cmd_pause,
	},
	{
		.name = "resume",
		.summary = "let paused VMs go on",
		.args = {{.name = "VM", .completer = COMPLETE_VM, .repeat = true}},
		.examples = {"avctl resume vm1 vm2"},
		.exits = VM_EXITS | BIT(RC_PARTLY),
		.run = cmd_resume,
	},
	{
		.name = "stop",
		.summary = "end VMs at once; their state is kept",
		.args = {{.name = "VM", .completer = COMPLETE_VM, .repeat = true}},
		.examples = {"avctl stop vm1"},
		.exits = VM_EXITS | BIT(RC_PARTLY),
		.run = cmd_stop,
	},
	{
		.name = "start",
		.summary = "boot stopped or crashed VMs again",
		.args = {{.name = "VM", .completer = COMPLETE_VM, .repeat = true}},
		.options = OPTIONS(FLAG("paused", 0, "leave them paused")),
		.examples = {"avctl start vm1"},
		.exits = VM_EXITS | BIT(RC_PARTLY),
		.run = cmd_start,
	},
	{
		.name = "restart",
		.summary = "boot VMs again, whatever they do",
		.args = {{.name = "VM", .completer = COMPLETE_VM, .repeat = true}},
		.options = OPTIONS(FLAG("paused", 0, "leave them paused")),
		.description = "A restart is a restore of the boot snapshot: memory is as at first "
			       "boot. Other snapshots "
			       "are kept.",
		.examples = {"avctl restart vm1", "avctl restart --paused vm1"},
		.exits = VM_EXITS | BIT(RC_PARTLY),
		.run = cmd_restart,
	},
#include "cmd/table_snapshot.def"
#include "cmd/table_files.def"
	{
		.name = "restore",
		.alias = "rollback",
		.summary = "put a VM back to a snapshot, or all",
		.args = {VM_OPTIONAL},
		.options = OPTIONS(
			FLAG("all", 'a', "all VMs and shared regions, to a set snapshot"),
			VALUE("id", 0, "N", COMPLETE_SNAPSHOT_ID, "the snapshot of that number"),
			VALUE("name", 0, "NAME", COMPLETE_SNAPSHOT_NAME,
			      "the snapshot of that name"),
			FLAG("latest", 0, "the one with the highest number"),
			FLAG("undo", 0, "back to before the last restore"),
			FLAG("boot", 0, "as at first boot"),
			FLAG("no-undo", 0, "do not keep the present state; for loops"),
			FLAG("paused", 0, "leave it paused")),
		.description = "Works in every state: running, paused, starved, crashed or "
			       "stopped. The present state is "
			       "kept as the snapshot `undo` first. Nothing is deleted; shared "
			       "regions are rewound with --all only. Console input that the VM has not read is "
			       "dropped: avctl events tells (input-dropped), and avctl status VM "
			       "counts it.",
		.examples = {"avctl restore vm1 --id 3", "avctl restore vm1 --name clean --paused",
			     "avctl restore vm1 --undo", "avctl restore --all --name clean"},
		.exits = VM_EXITS | BIT(RC_FAILED),
		.run = cmd_restore,
	},
#include "cmd/table_clone.def"
#include "cmd/table_shm.def"
#include "cmd/table_serve.def"
	{
		.name = "console",
		.summary = "connect the terminal to a VM's console",
		.args = {VM_ARG},
		.options = OPTIONS(
			{"port", 0, "PORT", COMPLETE_WORDS, "console (its PL011) or hvc0",
			 "console hvc0"},
			FLAG("read-only", 0, "follow the output, send nothing"),
			VALUE("escape", 0, "KEY", COMPLETE_NONE, "the key that leaves, default ^]"),
			VALUE("replay", 0, "LINES", COMPLETE_NONE,
			      "show so many last lines first (10)")),
		.examples = {"avctl console vm1", "avctl console vm1 --port hvc0",
			     "avctl console vm1 --read-only"},
		.description =
			"Input that is piped in goes to a VM that runs; to any other nothing is "
			"sent (4). Keys typed to a paused VM wait until it is resumed; a "
			"restore or a start drops what the VM has not read.",
		.exits = BIT(RC_OK) | BIT(RC_USAGE) | BIT(RC_UNREACHABLE) | BIT(RC_NOT_FOUND) |
			 BIT(RC_WRONG_STATE) | BIT(RC_INTERRUPTED),
		.run = cmd_console,
	},
	{
		.name = "logs",
		.summary = "print what was logged",
		.args = {VM_OPTIONAL},
		.options = OPTIONS(
			FLAG("follow", 'f', "go on as it grows"),
			VALUE("tail", 'n', "N", COMPLETE_NONE, "only the last N lines"),
			{"port", 0, "PORT", COMPLETE_WORDS, "console or hvc0", "console hvc0"},
			FLAG("hypervisor", 0, "the hypervisor's own log"),
			FLAG("qemu", 0, "what QEMU said"),
			FLAG("previous", 0, "of the run before")),
		.description = "QEMU records every console byte, watched or not; no VM: the "
			       "hypervisor's log. Works on a "
			       "set that is down.",
		.examples = {"avctl logs vm1", "avctl logs -f vm1",
			     "avctl logs --hypervisor --tail 20"},
		.exits = BIT(RC_OK) | BIT(RC_USAGE) | BIT(RC_UNREACHABLE) | BIT(RC_NOT_FOUND) |
			 BIT(RC_INTERRUPTED),
		.run = cmd_logs,
	},
	{
		.name = "events",
		.summary = "what happened to the VMs",
		.args = {VM_OPTIONAL},
		.options =
			OPTIONS(FLAG("follow", 'f', "go on as they come"),
				VALUE("since", 0, "N", COMPLETE_NONE, "from that sequence number"),
				VALUE("until", 0, "KIND", COMPLETE_NONE,
				      "with -f: end after one of that kind")),
		.description =
			"KIND is one of these:"
#define AV_EVENT_KIND(name, number, word) " " word
#include <avisor/events.def>
#undef AV_EVENT_KIND
			". A crash's reason is whole as long as the VM is crashed; later its first "
			"words are left.",
		.examples = {"avctl events", "avctl events -f --until crash -t 1m"},
		.exits = VM_EXITS | BIT(RC_INTERRUPTED),
		.run = cmd_events,
	},
	{
		.name = "config check",
		.summary = "check the YAML file; all errors at once",
		.args = {{.name = "FILE", .completer = COMPLETE_FILE, .optional = true}},
		.examples = {"avctl config check configs/duo.yaml"},
		.exits = BIT(RC_OK) | BIT(RC_USAGE) | BIT(RC_BAD_CONFIG),
		.run = cmd_config_check,
	},
	{
		.name = "config show",
		.summary = "print the set with all defaults filled in",
		.args = {{.name = "FILE", .completer = COMPLETE_FILE, .optional = true}},
		.examples = {"avctl config show", "avctl config show -o json"},
		.exits = BIT(RC_OK) | BIT(RC_USAGE) | BIT(RC_BAD_CONFIG),
		.run = cmd_config_show,
	},
	{
		.name = "config schema",
		.summary = "print the JSON schema of the YAML file, for editors",
		.examples = {"avctl config schema > avctl.schema.json"},
		.exits = BIT(RC_OK) | BIT(RC_USAGE),
		.run = cmd_config_schema,
	},
	{
		.name = "doctor",
		.summary = "look whether this host has what avctl needs",
		.examples = {"avctl doctor"},
		.exits = BIT(RC_OK) | BIT(RC_FAILED) | BIT(RC_USAGE),
		.run = cmd_doctor,
	},
	{
		.name = "-",
		.summary = "run commands from standard input, one a line",
		.options = OPTIONS(FLAG("keep-going", 'k', "go on after a failure")),
		.description = "Stops at the first failure and ends with its exit code. Empty "
			       "lines and # comments are "
			       "skipped; '...' and \"...\" quote.",
		.examples = {"printf 'snapshot take vm1\\nps\\n' | avctl -"},
		.exits = BIT(RC_OK) | BIT(RC_USAGE),
		.run = cmd_batch,
	},
	{
		.name = "version",
		.summary = "the versions of avctl and of the running hypervisor",
		.examples = {"avctl version -o json"},
		.exits = BIT(RC_OK) | BIT(RC_USAGE),
		.run = cmd_version,
	},
	{
		.name = "help",
		.summary = "help on a verb",
		.args = {{.name = "VERB",
			  .completer = COMPLETE_VERB,
			  .optional = true,
			  .repeat = true}},
		.examples = {"avctl help snapshot take"},
		.exits = BIT(RC_OK) | BIT(RC_USAGE),
		.run = cmd_help,
	},
	{
		.name = "completion",
		.summary = "print the shell's completion script",
		.args = {{.name = "SHELL", .completer = COMPLETE_WORDS, .words = "bash"}},
		.examples = {"source <(avctl completion bash)"},
		.exits = BIT(RC_OK) | BIT(RC_USAGE),
		.run = cmd_completion,
	},
	{
		.name = "man",
		.summary = "print the man page",
		.examples = {"avctl man | man -l -"},
		.exits = BIT(RC_OK) | BIT(RC_USAGE),
		.run = cmd_man,
	},
	{
		.name = "agent",
		.summary = "send one line to the control agent, print its reply lines",
		.args = {{.name = "WORD", .repeat = true}},
		.description = "For tests and for looking: the words are VERB key=value... of "
			       "abi/avisor/agent.h.",
		.examples = {"avctl agent audit vm=vm1"},
		.exits = ASK_EXITS | BIT(RC_FAILED),
		.hidden = true,
		.run = cmd_agent,
	},
	{
		.name = "__complete",
		.summary = "words for completion",
		.args = {{.name = "WORD", .optional = true, .repeat = true}},
		.exits = BIT(RC_OK),
		.hidden = true,
		.run = cmd_complete,
	},
};

const size_t command_count = sizeof(command_table) / sizeof(command_table[0]);
