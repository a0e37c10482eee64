/* SPDX-License-Identifier: MIT */
/*
 * qemu.c - starting, watching and ending QEMU.
 * Never signals a process that is not the QEMU it started: a pid is always checked against its
 * start time.
 */
#include "machine/qemu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool process_start(pid_t pid, uint64_t *start)
{
	char path[64], text[1024];
	unsigned long long ticks;
	char state;
	char *at;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	at = strrchr(text, ')');
	if (!at || sscanf(at + 1,
			  " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			  "%*d %llu",
			  &state, &ticks) != 2)
		return false;
	*start = ticks;
	return state != 'Z' && state != 'X';
}

static void quiet_files(int error_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	dup2(error_fd, STDERR_FILENO);
}

/* Mark all but the standard files close-on-exec, whoever handed them to us. */
static void seal_files(void)
{
	syscall(SYS_close_range, 3u, ~0u, (unsigned)CLOSE_RANGE_CLOEXEC);
}

/* Close all but standard files and the one given (above them). */
static void close_others(int keep)
{
	if (keep > 3)
		syscall(SYS_close_range, 3u, (unsigned)keep - 1, 0u);
	syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0u);
}

/*
 * Leave the pid in runtime_dir/qemu.pid, for an avctl that is killed before it has written its
 * record.
 */
static void write_pid(pid_t qemu, int runtime_fd)
{
	unsigned long long start = 0;
	uint64_t ticks;
	int fd = openat(runtime_fd, "qemu.pid",
			O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (process_start(qemu, &ticks))
		start = ticks;
	if (fd >= 0) {
		dprintf(fd, "%d %llu\n", (int)qemu, start);
		close(fd);
	}
}

/* QEMU's parent: waits for its end and writes it down. */
static void __attribute__((noreturn)) watch(pid_t qemu, int runtime_fd)
{
	char text[64];
	int status = 0;
	int fd;

	prctl(PR_SET_NAME, "avctl-watch");
	while (waitpid(qemu, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "%d signal %d\n", (int)qemu, WTERMSIG(status));
	else
		snprintf(text, sizeof(text), "%d status %d\n", (int)qemu, WEXITSTATUS(status));
	if (faccessat(runtime_fd, "machine.json", F_OK, 0) < 0)
		_exit(0); /* ended by `down`: nobody will ask */
	fd = openat(runtime_fd, "exit", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		_exit(1);
	_exit(0);
}

/* In the first child: start QEMU, tell the pid or -errno through result_fd, stay as its parent. */
static void __attribute__((noreturn))
start_and_watch(char *const *args, int runtime_fd, int error_fd, int result_fd)
{
	int32_t result;
	int failed[2];
	sigset_t none;
	pid_t qemu;

	setsid();
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	quiet_files(error_fd);
	if (fchdir(runtime_fd) < 0 || pipe2(failed, O_CLOEXEC) < 0) {
		result = -errno;
		goto fail;
	}
	qemu = fork();
	if (qemu == 0) {
		signal(SIGHUP, SIG_DFL);
		umask(0077);
		seal_files();
		execvp(args[0], args);
		result = errno;
		if (write(failed[1], &result, sizeof(result)) < 0)
			_exit(126);
		_exit(127);
	}
	close(failed[1]);
	result = qemu > 0 ? (int32_t)qemu : -errno;
	if (qemu > 0) {
		int32_t error = 0;

		if (read(failed[0], &error, sizeof(error)) == sizeof(error))
			result = -error;
	}
	close(failed[0]);
	if (result > 0)
		write_pid(qemu, runtime_fd);
	if (write(result_fd, &result, sizeof(result)) < 0 && result < 0)
		_exit(1);
	if (result < 0)
		_exit(1);
	/* With them goes our share of the set's lock, which held up others until now. */
	close_others(runtime_fd);
	watch(qemu, runtime_fd);
fail:
	if (write(result_fd, &result, sizeof(result)) < 0)
		_exit(2);
	_exit(1);
}

pid_t qemu_start(char *const *args, const char *runtime_dir, const char *log_dir, uint64_t *start)
{
	char log[4096];
	int runtime_fd, error_fd, channel[2];
	int32_t result = -EIO;
	pid_t child;

	snprintf(log, sizeof(log), "%s/qemu.log", log_dir);
	runtime_fd = open(runtime_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (runtime_fd < 0 || error_fd < 0 || pipe2(channel, O_CLOEXEC) < 0)
		goto out;
	child = fork();
	if (child == 0)
		start_and_watch(args, runtime_fd, error_fd, channel[1]);
	close(channel[1]);
	if (child > 0) {
		ssize_t got;

		do
			got = read(channel[0], &result, sizeof(result));
		while (got < 0 && errno == EINTR);
	}
	close(channel[0]);
	if (result > 0 && !process_start(result, start))
		*start = 0; /* ended at once: the record says so */
	if (result < 0) {
		errno = -result;
		result = -1;
	}
out:
	if (runtime_fd >= 0)
		close(runtime_fd);
	if (error_fd >= 0)
		close(error_fd);
	return result > 0 ? (pid_t)result : -1;
}

static bool gone_within(int process, uint64_t ns)
{
	struct pollfd wait = {.fd = process, .events = POLLIN};

	return poll(&wait, 1, (int)(ns / 1000000)) == 1;
}

int qemu_stop(pid_t pid, uint64_t start, uint64_t wait_ns)
{
	uint64_t now;
	int process, result = -1;

	if (pid <= 0)
		return 0;
	process = (int)syscall(SYS_pidfd_open, pid, 0u);
	if (process < 0)
		return errno == ESRCH ? 0 : -1;
	/*
	 * The pid cannot be reused between this check and the signal: the descriptor names the
	 * process.
	 */
	if (!process_start(pid, &now) || now != start) {
		result = 0;
		goto out;
	}
	syscall(SYS_pidfd_send_signal, process, SIGTERM, NULL, 0u);
	if (!gone_within(process, wait_ns)) {
		syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0u);
		if (!gone_within(process, 5000000000u))
			goto out;
	}
	result = 0;
out:
	close(process);
	return result;
}

void machine_clean(const char *runtime_dir, const char *ram_file)
{
	DIR *folder = opendir(runtime_dir);
	struct dirent *entry;
	struct stat info;

	if (ram_file && lstat(ram_file, &info) == 0 && S_ISREG(info.st_mode) &&
	    info.st_uid == getuid())
		unlink(ram_file);
	while (folder && (entry = readdir(folder))) {
		const char *name = entry->d_name;

		/* The record goes last: until then a killed avctl leaves something to clean. */
		if (name[0] != '.' && strcmp(name, "lock") != 0 &&
		    strcmp(name, "machine.json") != 0)
			unlinkat(dirfd(folder), name, 0);
	}
	if (folder) {
		unlinkat(dirfd(folder), "machine.json", 0);
		unlinkat(dirfd(folder), "exit", 0); /* of a QEMU that ended just now */
		closedir(folder);
	}
}
