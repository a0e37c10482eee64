/* SPDX-License-Identifier: MIT */
/*
 * agentd.c - avisor-agentd: the agent's core on a Linux guest's virtio port.
 * One process works, the other one watches it: if the worker dies with file systems frozen, they are thawed all the
 * same, and another worker begins.
 */
#include "linux/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <avisor/agent.h>

#define PORTS "/sys/class/virtio-ports"
#define LOOK_MS 250   /* between two looks at the generation, when nothing wakes us */
#define ALIGN_MS 5    /* between two looks at the real-time clock */
#define WRITE_MS 5000 /* the host's reader may be slow for so long */

static struct service service;
static char buffer[SERVICE_BUFFER_SIZE] __attribute__((aligned(SERVICE_BUFFER_SIZE)));
static int port = -1;
static bool connected;
static uint64_t generation;
static volatile sig_atomic_t stopping;

void agent_say(const char *format, ...)
{
	char text[512] = "<5>avisor-agentd: ";
	size_t size = strlen(text);
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	va_list list;

	va_start(list, format);
	vsnprintf(text + size, sizeof(text) - size - 1, format, list);
	va_end(list);
	strcat(text, "\n"); /* without it nobody sees it before the next record */
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fputs(text + 3, stderr);
	if (fd >= 0)
		close(fd);
}

uint64_t agent_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool host_is_there(void)
{
	struct pollfd look = {.fd = port};

	return poll(&look, 1, 0) >= 0 && !(look.revents & (POLLHUP | POLLERR));
}

/* A reply to somebody who has left, or does not read, is dropped. */
static void write_line(void *context, const char *data, size_t size)
{
	uint64_t until = agent_ms() + WRITE_MS;

	(void)context;
	while (size && agent_ms() < until) {
		ssize_t done = write(port, data, size);
		struct pollfd wait = {.fd = port, .events = POLLOUT};

		if (done > 0) {
			data += done;
			size -= (size_t)done;
		} else if (done < 0 && errno != EAGAIN && errno != EINTR) {
			return;
		} else if (poll(&wait, 1, 100) > 0 && (wait.revents & (POLLHUP | POLLERR))) {
			return;
		}
	}
}

/* The port's device node: by its name in sysfs, as there may be no udev. */
static int open_port(void)
{
	DIR *ports = opendir(PORTS);
	struct dirent *entry;
	int fd = -1;

	while (ports && fd < 0 && (entry = readdir(ports))) {
		char path[512], name[64] = "";
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), PORTS "/%s/name", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (!fgets(name, sizeof(name), file))
			name[0] = '\0';
		fclose(file);
		name[strcspn(name, "\n")] = '\0';
		if (strcmp(name, AV_AGENT_PORT) != 0)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	if (ports)
		closedir(ports);
	return fd;
}

static void leave(void)
{
	if (!connected)
		return;
	connected = false;
	service_close(&service);
	if (quiesce_deadline()) {
		agent_say("the host has left: file systems are thawed");
		quiesce_end(NULL, NULL);
	}
}

static void enter(void)
{
	if (connected)
		return;
	connected = true;
	service_open(&service);
}

/*
 * At the start, fed whatever it is: a snapshot taken before this moment leads here again, in every VM that goes on from it, and from
 * here on the generation tells.
 */
static void learn_identity(void)
{
	struct service_result identity =
		device_hypercall(NULL, AV_HVC_IDENTITY, (const uint64_t[6]){0});

	if (identity.status != AV_OK)
		return;
	generation = identity.value[2];
	restored_identity(&identity);
	agent_say("here, generation %llu", (unsigned long long)generation);
}

/* Was the VM taken back in time? Then what is open is another life's. True: the clock is to be set. */
static bool look_at_generation(void)
{
	struct service_result identity =
		device_hypercall(NULL, AV_HVC_IDENTITY, (const uint64_t[6]){0});

	if (identity.status != AV_OK || identity.value[2] == generation)
		return false;
	generation = identity.value[2];
	restored_identity(&identity);
	if (connected)
		service_close(&service);
	connected = false;
	quiesce_restored();
	agent_say("restored, generation %llu", (unsigned long long)generation);
	return true;
}

/* True: the clock is to be set. */
static bool look_at_port(void)
{
	char data[4096];
	ssize_t got;

	if (!host_is_there()) {
		/* A restore takes the client away, too, and its hooks find what was quiesced as it was. */
		bool restored = look_at_generation();

		leave();
		return restored;
	}
	enter();
	while ((got = read(port, data, sizeof(data))) > 0)
		service_input(&service, data, (size_t)got);
	return false;
}

/* Until when to sleep: at most to the next thing that is due. */
static int pause_ms(bool aligning)
{
	uint64_t deadline = quiesce_deadline(), now = agent_ms(),
		 most = aligning ? ALIGN_MS : LOOK_MS;

	if (deadline && deadline < now + most)
		most = deadline > now ? deadline - now : 0;
	return (int)most;
}

static void work(void)
{
	static const struct service_ops operations = {.hypercall = device_hypercall,
						      .write = write_line,
						      .quiesce = quiesce_begin,
						      .thaw = quiesce_end};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLET};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	bool aligning = false;

	service.ops = &operations;
	service.version = AV_VERSION;
	service.buffer = buffer;
	service.buffer_ipa = (uint64_t)(uintptr_t)buffer;
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, port, &event) < 0)
		exit(1);
	learn_identity();
	while (!stopping) {
		aligning |= look_at_generation();
		aligning |= look_at_port();
		if (quiesce_deadline() && agent_ms() >= quiesce_deadline()) {
			agent_say("quiesced for too long: file systems are thawed");
			quiesce_end(NULL, NULL);
		}
		if (aligning)
			aligning = restored_clock();
		epoll_wait(epoll, &event, 1, pause_ms(aligning));
	}
	quiesce_end(NULL, NULL);
	exit(0);
}

static void on_stop(int signal)
{
	(void)signal;
	stopping = 1;
}

/* The worker; and, when it dies, an end to what it may have left frozen. */
static int watch(void)
{
	while (!stopping) {
		pid_t worker = fork();
		int status = 0;

		if (worker < 0)
			return 1;
		if (worker == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			work();
		}
		while (waitpid(worker, &status, 0) < 0 && errno == EINTR)
			kill(worker, SIGTERM);
		quiesce_thaw_all();
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return 0;
		agent_say("the worker ended (status %d): another one begins", status);
		usleep(200000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction stop = {.sa_handler = on_stop};

	if (argc == 3 && !strcmp(argv[1], "--hooks")) {
		quiesce_folder(argv[2]);
	} else if (argc != 1) {
		fprintf(stderr, "usage: avisor-agentd [--hooks FOLDER]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	while (!stopping && (port = open_port()) < 0)
		usleep(50000); /* the driver finds its ports a moment after it is loaded */
	return stopping ? 0 : watch();
}
