/* SPDX-License-Identifier: MIT */
/*
 * test_client.c - avctl's end of the line protocol against agents that misbehave, each a short
 * script of what to answer. The agent runs in a thread behind a real UNIX socket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "agent/client.h"

#define SECOND 1000000000u

/*
 * What the agent does on one connection: text is sent when it opens, then for each request the next
 * answer, in which % stands for the request's id. NULL as an answer: close the connection. "" = say
 * nothing.
 */
struct connection {
	const char *hello;
	const char *answers[4];
};

static char folder[64];
static int listener = -1;
static pthread_t thread;
static const struct connection *script;
static size_t script_size;
static char requests[8][256]; /* as they came, without the id */
static size_t request_count;

static void send_answer(int client, const char *answer, const char *id)
{
	char text[8192];
	size_t used = 0;

	for (; *answer && used + 32 < sizeof(text); answer++) {
		if (*answer == '%')
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", id);
		else
			text[used++] = *answer;
	}
	send(client, text, used, MSG_NOSIGNAL);
}

static void serve(int client, const struct connection *connection)
{
	FILE *lines = fdopen(client, "r");
	char line[512], id[32];
	size_t answer = 0;

	send(client, connection->hello, strlen(connection->hello), MSG_NOSIGNAL);
	while (lines && fgets(line, sizeof(line), lines)) {
		char *rest = strchr(line, ' ');

		if (!rest)
			continue;
		snprintf(id, sizeof(id), "%.*s", (int)(rest - line), line);
		line[strcspn(line, "\n")] = '\0';
		if (request_count < 8)
			snprintf(requests[request_count++], sizeof(requests[0]), "%s", rest + 1);
		if (!connection->answers[answer])
			break;
		send_answer(client, connection->answers[answer++], id);
	}
	if (lines)
		fclose(lines);
}

static void *agent_thread(void *unused)
{
	for (size_t i = 0; i < script_size; i++) {
		int client = accept(listener, NULL, NULL);

		if (client < 0)
			break;
		serve(client, &script[i]);
	}
	return unused;
}

static void start(const struct connection *connections, size_t count)
{
	script = connections;
	script_size = count;
	request_count = 0;
	assert_int_equal(pthread_create(&thread, NULL, agent_thread, NULL), 0);
}

static void finish(void)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
}

static int make_socket(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/avctl-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", folder);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	return bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1);
}

static int remove_socket(void **state)
{
	char path[128];

	(void)state;
	close(listener);
	snprintf(path, sizeof(path), "%s/control", folder);
	unlink(path);
	return rmdir(folder);
}

static struct agent *open_agent(uint64_t wait)
{
	enum agent_status status;
	struct agent *agent = agent_open(folder, "control", agent_now() + wait, &status);

	assert_non_null(agent);
	return agent;
}

struct rows {
	size_t count, restarts;
	char last[64];
};

static void take_row(void *to, const struct line *row)
{
	struct rows *rows = to;
	const char *name = line_text(row, "name");

	rows->count++;
	snprintf(rows->last, sizeof(rows->last), "%s", name ? name : "");
}

static void restart_rows(void *to)
{
	struct rows *rows = to;

	rows->count = 0;
	rows->restarts++;
}

/* One request "take vm=vm1 request=0x1" with rows counted. */
static enum agent_status call(struct agent *agent, bool once, struct rows *rows,
			      struct agent_reply *reply)
{
	struct agent_sink sink = {.row = take_row, .restart = restart_rows, .to = rows};
	struct agent_request request;

	memset(rows, 0, sizeof(*rows));
	agent_begin(&request, "take");
	line_add_text(&request.line, "vm", "vm1");
	return agent_call(agent, &request, &sink, once, reply);
}

#define HELLO "0 hello proto=1 boots=1\n"

static void an_answer_comes_with_its_rows(void **state)
{
	static const struct connection connections[] = {
		{HELLO, {"% row name=a\n% row name=\"b c\"\n% ok id=7\n"}},
	};
	struct agent *agent;
	struct agent_reply reply;
	struct rows rows;

	(void)state;
	start(connections, 1);
	agent = open_agent(5 * (uint64_t)SECOND);
	assert_int_equal(call(agent, false, &rows, &reply), AGENT_OK);
	assert_int_equal(rows.count, 2);
	assert_string_equal(rows.last, "b c");
	assert_string_equal(line_text(&reply.end, "id"), "7");
	assert_false(reply.repeated);
	assert_int_equal(agent_boots(agent), 1);
	assert_string_equal(requests[0], "take vm=vm1");
	agent_close(agent);
	finish();
}

static void an_error_is_told_with_its_code(void **state)
{
	static const struct connection connections[] = {
		{HELLO, {"% err code=NOT_FOUND msg=\"no \\\"VM\\\"\"\n"}},
	};
	struct agent *agent;
	struct agent_reply reply;
	struct rows rows;

	(void)state;
	start(connections, 1);
	agent = open_agent(5 * (uint64_t)SECOND);
	assert_int_equal(call(agent, false, &rows, &reply), AGENT_ERROR);
	assert_string_equal(reply.code, "NOT_FOUND");
	assert_string_equal(reply.message, "no \"VM\"");
	agent_close(agent);
	finish();
}

static void lines_of_others_and_garbage_are_skipped(void **state)
{
	static const struct connection connections[] = {
		{"half a li\n" HELLO "0 err code=TOO_LONG\n",
		 {"1234 row name=x\n1234 ok id=1\n\n\x01\x02 binary\n% row name=y\n% ok id=2\n"}},
	};
	struct agent *agent;
	struct agent_reply reply;
	struct rows rows;

	(void)state;
	start(connections, 1);
	agent = open_agent(5 * (uint64_t)SECOND);
	assert_int_equal(call(agent, false, &rows, &reply), AGENT_OK);
	assert_int_equal(rows.count, 1);
	assert_string_equal(line_text(&reply.end, "id"), "2");
	agent_close(agent);
	finish();
}

static void a_malformed_answer_is_no_answer(void **state)
{
	static const struct connection connections[] = {{HELLO, {"% ok id=\"7\n"}}};
	struct agent *agent;
	struct agent_reply reply;
	struct rows rows;

	(void)state;
	start(connections, 1);
	agent = open_agent(5 * (uint64_t)SECOND);
	assert_int_equal(call(agent, false, &rows, &reply), AGENT_GARBLED);
	agent_close(agent);
	finish();
}

static void a_broken_connection_is_made_again(void **state)
{
	static const struct connection connections[] = {
		{HELLO, {NULL}},
		{HELLO, {"% row name=a\n", NULL}},
		{HELLO, {"% row name=b\n% ok id=3\n"}},
	};
	struct agent *agent;
	struct agent_reply reply;
	struct rows rows;

	(void)state;
	start(connections, 3);
	agent = open_agent(5 * (uint64_t)SECOND);
	assert_int_equal(call(agent, false, &rows, &reply), AGENT_OK);
	assert_true(reply.repeated);
	assert_int_equal(rows.count, 1);
	assert_true(rows.restarts >= 1);
	assert_string_equal(rows.last, "b");
	assert_string_equal(requests[request_count - 1], "take vm=vm1");
	agent_close(agent);
	finish();
}

static void a_restarted_agent_is_asked_again(void **state)
{
	static const struct connection connections[] = {
		{HELLO, {"0 hello proto=1 boots=2\n"}},
		{"0 hello proto=1 boots=2\n", {"% ok id=4\n"}},
	};
	struct agent *agent;
	struct agent_reply reply;
	struct rows rows;
	uint64_t before = agent_now();

	(void)state;
	start(connections, 2);
	agent = open_agent(5 * (uint64_t)SECOND);
	assert_int_equal(call(agent, false, &rows, &reply), AGENT_OK);
	assert_true(reply.repeated);
	assert_int_equal(agent_boots(agent), 2);
	assert_true(agent_now() - before < SECOND);
	agent_close(agent);
	finish();
}

static void what_must_not_be_repeated_is_not(void **state)
{
	static const struct connection connections[] = {{HELLO, {NULL}}};
	struct agent *agent;
	struct agent_reply reply;
	struct rows rows;

	(void)state;
	start(connections, 1);
	agent = open_agent(5 * (uint64_t)SECOND);
	assert_int_equal(call(agent, true, &rows, &reply), AGENT_UNREACHABLE);
	assert_int_equal(request_count, 1);
	agent_close(agent);
	finish();
}

static void silence_ends_at_the_deadline(void **state)
{
	static const struct connection connections[] = {{"", {""}}};
	struct agent *agent;
	struct agent_reply reply;
	struct rows rows;
	uint64_t before = agent_now();

	(void)state;
	start(connections, 1);
	agent = open_agent(SECOND / 5);
	assert_int_equal(call(agent, false, &rows, &reply), AGENT_TIMEOUT);
	assert_true(agent_now() - before < 2 * (uint64_t)SECOND);
	agent_close(agent);
	finish();
}

static void nobody_there_is_told_at_once(void **state)
{
	enum agent_status status = AGENT_OK;

	(void)state;
	assert_null(agent_open(folder, "nothing", agent_now() + SECOND, &status));
	assert_int_equal(status, AGENT_UNREACHABLE);
	assert_null(agent_open("/nonexistent", "control", agent_now() + SECOND, &status));
	assert_int_equal(status, AGENT_UNREACHABLE);
}

static void a_request_that_is_too_long_is_refused_here(void **state)
{
	static const struct connection connections[] = {{HELLO, {""}}};
	struct agent_request request;
	struct agent_reply reply;
	struct agent *agent;
	char name[AV_LINE_MAX + 1];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	start(connections, 1);
	agent = open_agent(SECOND);
	agent_begin(&request, "take");
	line_add_text(&request.line, "vm", name);
	assert_int_equal(agent_call(agent, &request, NULL, false, &reply), AGENT_ERROR);
	assert_string_equal(reply.code, "TOO_LONG");
	agent_close(agent);
	finish();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_socket, remove_socket)
	const struct CMUnitTest tests[] = {
		TEST(an_answer_comes_with_its_rows),
		TEST(an_error_is_told_with_its_code),
		TEST(lines_of_others_and_garbage_are_skipped),
		TEST(a_malformed_answer_is_no_answer),
		TEST(a_broken_connection_is_made_again),
		TEST(a_restarted_agent_is_asked_again),
		TEST(what_must_not_be_repeated_is_not),
		TEST(silence_ends_at_the_deadline),
		TEST(nobody_there_is_told_at_once),
		TEST(a_request_that_is_too_long_is_refused_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
