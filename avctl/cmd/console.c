/* SPDX-License-Identifier: MIT */
/*
 * console.c - `avctl console`: the terminal on a VM's console.
 * Shows what QEMU logs (so nothing is lost or shown twice) and sends keys through the port's
 * socket. Whatever happens, the terminal is given back as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include "cmd/clones.h"
#include "cmd/ctx.h"
#include "cmd/logfile.h"

#define LOOK_MS 20
#define ALIVE_NS 500000000u
#define STATE_NS 1000000000u
#define QUIET_NS 500000000u /* input at its end: leave when nothing was printed for so long */

struct console {
	struct ctx *ctx;
	char port[64];
	char escape; /* 0: none */
	int log_fd, socket_fd, lock_fd;
	uint64_t at;
	uint64_t from;      /* a clone: where its part of the log begins */
	char pending[4096]; /* read from us, not yet taken by QEMU */
	size_t pending_size;
	bool input_ended;
	bool state_known; /* piped input: the VM was looked at */
	char state[16];   /* what it is when it takes no input; else empty */
	uint64_t last_output;
};

static struct termios saved_terminal;
static volatile sig_atomic_t terminal_is_raw;

static void terminal_restore(void)
{
	if (terminal_is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_terminal);
	terminal_is_raw = 0;
}

static void on_end(int signal_number)
{
	terminal_restore();
	_exit(128 + signal_number);
}

static void terminal_raw(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGABRT};
	struct sigaction action = {.sa_handler = on_end};
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved_terminal) < 0)
		return;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	raw = saved_terminal;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST | ONLCR; /* guests that print a bare newline stay readable */
	terminal_is_raw = 1;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

/* "^]", "^a", "none" or one character. */
static bool read_escape(const char *text, char *escape)
{
	if (!strcmp(text, "none")) {
		*escape = '\0';
		return true;
	}
	if (text[0] == '^' && text[1] >= '@' && !text[2]) {
		*escape = (char)(text[1] & 0x1f);
		return true;
	}
	*escape = text[0];
	return text[0] && !text[1];
}

static void name_escape(char escape, char name[8])
{
	if ((unsigned char)escape < 0x20)
		snprintf(name, 8, "^%c", escape + 0x40);
	else
		snprintf(name, 8, "%c", escape);
}

static int take_port(struct console *console)
{
	const struct record *record = console->ctx->record;
	char path[PATH_MAX], text[32] = "", hint[192];
	int pid = 0;

	snprintf(path, sizeof(path), "%s/%s.lock", record->runtime_dir, console->port);
	console->lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (console->lock_fd < 0)
		return out_error(RC_FAILED, "avctl doctor", "%s: %s", path, strerror(errno));
	if (flock(console->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (pread(console->lock_fd, text, sizeof(text) - 1, 0) > 0)
			pid = atoi(text);
		return out_error(RC_WRONG_STATE,
				 out_text(hint, sizeof(hint),
					  "avctl console %s --read-only follows it",
					  console->ctx->args[0]),
				 "%s is open in avctl pid %d", console->port, pid);
	}
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(console->lock_fd, 0) < 0 ||
	    pwrite(console->lock_fd, text, strlen(text), 0) < 0)
		return out_error(RC_FAILED, "avctl doctor", "%s: %s", path, strerror(errno));
	return RC_OK;
}

static int connect_port(struct console *console)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int folder = open(console->ctx->record->runtime_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int result = RC_OK;

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder,
		 console->port);
	console->socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (folder < 0 || console->socket_fd < 0 ||
	    connect(console->socket_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    fcntl(console->socket_fd, F_SETFL, O_NONBLOCK) < 0)
		result = out_error(RC_UNREACHABLE, "avctl ps", "%s: %s", console->port,
				   strerror(errno));
	if (folder >= 0)
		close(folder);
	return result;
}

static int open_log(struct console *console, uint64_t lines)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s.log", console->ctx->record->log_dir, console->port);
	console->log_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (console->log_fd < 0)
		return out_error(RC_FAILED, "avctl doctor", "%s: %s", path, strerror(errno));
	console->at = logfile_tail(console->log_fd, lines);
	if (console->at < console->from)
		console->at = console->from;
	return RC_OK;
}

/* Bytes on the socket only say that there is more in the log. False: the machine has gone. */
static bool drain_socket(struct console *console)
{
	char bytes[4096];
	ssize_t got;

	while ((got = recv(console->socket_fd, bytes, sizeof(bytes), 0)) > 0)
		;
	return got < 0 && (errno == EAGAIN || errno == EINTR);
}

static void take_state(void *to, const struct line *row)
{
	const char *state = line_text(row, "state");

	snprintf(to, sizeof(((struct console *)0)->state), "%s", state ? state : "");
}

/*
 * Does the VM run, and so read what is sent? Takes no lock, and a machine whose agent does not
 * answer at once keeps its console.
 */
static bool takes_input(struct console *console)
{
	struct ctx *ctx = console->ctx;
	struct agent_sink sink = {.row = take_state, .to = console->state};
	struct agent_request request;
	struct agent_reply reply;
	enum agent_status status;
	struct agent *agent =
		agent_open(ctx->record->runtime_dir, "control", agent_now() + STATE_NS, &status);

	if (agent) {
		agent_begin(&request, "vm");
		line_add_text(&request.line, "vm", ctx->args[0]);
		status = agent_call(agent, &request, &sink, true, &reply);
		agent_close(agent);
	}
	if (status != AGENT_OK || !strcmp(console->state, "running"))
		console->state[0] = '\0';
	return !console->state[0];
}

/* The next thing to type for a VM that takes no input. */
static const char *way_back(const struct console *console, char *hint, size_t size)
{
	const char *vm = console->ctx->args[0];

	if (!strcmp(console->state, "paused"))
		return out_text(hint, size, "avctl resume %s", vm);
	if (!strcmp(console->state, "starved"))
		return out_text(hint, size, "avctl snapshot delete %s ID frees memory", vm);
	return out_text(hint, size, "avctl start %s boots it, avctl restore %s takes it back", vm,
			vm);
}

/* Keys to the port. True: the escape key was hit, or nobody is there to read what was piped in. */
static bool read_keys(struct console *console)
{
	char *to = console->pending + console->pending_size;
	ssize_t got = read(STDIN_FILENO, to, sizeof(console->pending) - console->pending_size);
	char *escape;

	if (got <= 0) {
		console->input_ended = got == 0 || errno != EINTR;
		console->last_output = agent_now();
		return false;
	}
	if (!console->state_known && !isatty(STDIN_FILENO)) {
		console->state_known = true;
		if (!takes_input(console))
			return true;
	}
	/* Piped input has no escape key: it may hold any byte. */
	escape = console->escape && isatty(STDIN_FILENO) ? memchr(to, console->escape, (size_t)got)
							 : NULL;
	console->pending_size += escape ? (size_t)(escape - to) : (size_t)got;
	return escape != NULL;
}

static bool send_keys(struct console *console)
{
	ssize_t sent =
		send(console->socket_fd, console->pending, console->pending_size, MSG_NOSIGNAL);

	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	console->pending_size -= (size_t)sent;
	memmove(console->pending, console->pending + sent, console->pending_size);
	console->last_output = agent_now();
	return true;
}

enum turn { TURN_ON, TURN_LEFT, TURN_GONE };

/* Wait for something, and pass on what came. */
static enum turn turn(struct console *console)
{
	struct pollfd wait[2] = {{.fd = -1, .events = POLLIN}, {.fd = console->socket_fd}};
	uint64_t before;

	if (console->socket_fd >= 0) {
		wait[1].events = (short)(POLLIN | (console->pending_size ? POLLOUT : 0));
		if (!console->input_ended && console->pending_size == 0)
			wait[0].fd = STDIN_FILENO;
	}
	poll(wait, 2, LOOK_MS);
	if ((wait[1].revents & (POLLIN | POLLHUP | POLLERR)) && !drain_socket(console))
		return TURN_GONE;
	before = console->at;
	logfile_copy(console->log_fd, &console->at, true);
	if (console->at != before)
		console->last_output = agent_now();
	if (wait[0].revents && read_keys(console)) {
		while (console->pending_size && send_keys(console) && console->pending_size)
			poll(&(struct pollfd){.fd = console->socket_fd, .events = POLLOUT}, 1,
			     LOOK_MS);
		return TURN_LEFT;
	}
	if (console->pending_size && !send_keys(console))
		return TURN_GONE;
	if (console->input_ended && console->pending_size == 0 &&
	    agent_now() - console->last_output > QUIET_NS)
		return TURN_LEFT;
	return TURN_ON;
}

static int talk(struct console *console)
{
	uint64_t timeout, deadline, looked = agent_now();
	enum turn now = TURN_ON;
	char hint[160];
	int result = ctx_timeout(console->ctx, INT64_MAX, &timeout);

	if (result != RC_OK)
		return result;
	deadline = looked + timeout;
	if (console->socket_fd >= 0)
		terminal_raw();
	while (now == TURN_ON && agent_now() < deadline) {
		now = turn(console);
		if (agent_now() - looked > ALIVE_NS) {
			looked = agent_now();
			if (!record_alive(console->ctx->record))
				now = TURN_GONE;
		}
	}
	logfile_copy(console->log_fd, &console->at, true);
	terminal_restore();
	if (now == TURN_GONE) {
		fputc('\n', stderr);
		return record_alive(console->ctx->record)
			       ? out_error(RC_UNREACHABLE, "avctl ps", "the console was closed")
			       : ctx_need_record(console->ctx);
	}
	if (isatty(STDIN_FILENO))
		fputc('\n', stderr);
	else if (console->state[0])
		return out_error(RC_WRONG_STATE, way_back(console, hint, sizeof(hint)),
				 "%s is %s and reads no input: nothing was sent",
				 console->ctx->args[0], console->state);
	return RC_OK;
}

static void say_how_to_leave(struct console *console)
{
	char name[8], hint[160];

	if (out_style.quiet)
		return;
	if (console->socket_fd >= 0 && isatty(STDIN_FILENO) && !takes_input(console))
		out_note("%s is %s: nobody reads what you type (%s)", console->ctx->args[0],
			 console->state, way_back(console, hint, sizeof(hint)));
	if (console->socket_fd < 0) {
		fprintf(stderr, "avctl: %s, read only; leave with ^C\n", console->port);
	} else if (!console->escape) {
		fprintf(stderr, "avctl: %s; no escape key\n", console->port);
	} else {
		name_escape(console->escape, name);
		fprintf(stderr, "avctl: %s; leave with %s\n", console->port, name);
	}
}

static int prepare(struct ctx *ctx, struct console *console, uint64_t *lines)
{
	const char *port = ctx_option(ctx, "port");
	const char *escape = ctx_option(ctx, "escape");
	const struct set_vm *vm;
	char path[PATH_MAX];
	int result = RC_OK;

	if (port && strcmp(port, "console") != 0 && strcmp(port, "hvc0") != 0)
		return out_error(RC_USAGE, "--port console or --port hvc0", "no port \"%s\"", port);
	if (!read_escape(escape && *escape ? escape : "^]", &console->escape))
		return out_error(RC_USAGE, "--escape ^a, --escape ^] or --escape none",
				 "\"%s\" is not one key", escape);
	result = ctx_number_option(ctx, "replay", lines);
	if (result == RC_OK)
		result = ctx_need_record(ctx);
	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], &vm);
	if (result == RC_OK)
		snprintf(console->port, sizeof(console->port), "%s.%s", set_vm_port(vm),
			 port ? port : "console");
	if (result == RC_OK)
		clones_log_path(ctx->record, vm, port ? port : "console", path, sizeof(path),
				&console->from);
	return result;
}

int cmd_console(struct ctx *ctx)
{
	struct console console = {.ctx = ctx, .log_fd = -1, .socket_fd = -1, .lock_fd = -1};
	uint64_t lines = 10;
	int result = prepare(ctx, &console, &lines);

	if (result == RC_OK)
		result = open_log(&console, lines);
	if (result == RC_OK && !ctx_flag(ctx, "read-only")) {
		result = take_port(&console);
		if (result == RC_OK)
			result = connect_port(&console);
	}
	if (result == RC_OK) {
		say_how_to_leave(&console);
		result = talk(&console);
	}
	if (console.log_fd >= 0)
		close(console.log_fd);
	if (console.socket_fd >= 0)
		close(console.socket_fd);
	if (console.lock_fd >= 0)
		close(console.lock_fd);
	return result;
}
