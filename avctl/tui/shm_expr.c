/* SPDX-License-Identifier: MIT */
/* shm_expr.c - parses and evaluates the condition of `shm watch --until`.
 * Reads the region only through the caller's function; nothing is evaluated that did not parse
 * whole. */
#include "tui/shm_expr.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_READ_MAX 4096u

struct parser {
	const char *at;
	const struct set_region *region;
	char *message;
	size_t message_size;
};

static const struct {
	const char *text;
	enum shm_op op;
} operators[] = {
	/* Longer ones first. */
	{"==", SHM_OP_EQ}, {"!=", SHM_OP_NE}, {">=", SHM_OP_GE}, {"<=", SHM_OP_LE},
	{"=", SHM_OP_EQ},  {">", SHM_OP_GT},  {"<", SHM_OP_LT},  {"~", SHM_OP_HAS},
};

static void skip_space(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t')
		p->at++;
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_-.[]@", c));
}

static int parse_operand(struct parser *p, struct shm_term *term)
{
	const char *name = p->at;
	size_t length;

	while (is_name_char(*p->at))
		p->at++;
	length = (size_t)(p->at - name);
	if (length == 0) {
		snprintf(p->message, p->message_size,
			 "expected a field or TYPE@OFFSET at \"%.20s\"", name);
		return -1;
	}
	if (shm_field_find(p->region, name, length, &term->field, p->message, p->message_size) != 0)
		return -1;
	term->field.name = NULL;
	if (term->field.count) {
		snprintf(p->message, p->message_size,
			 "\"%.*s\" is an array: name one element of it",
			 (int)(length > 40 ? 40 : length), name);
		return -1;
	}
	return 0;
}

static int parse_operator(struct parser *p, struct shm_term *term)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		size_t length = strlen(operators[i].text);

		if (strncmp(p->at, operators[i].text, length) == 0) {
			term->op = operators[i].op;
			p->at += length;
			return 0;
		}
	}
	snprintf(p->message, p->message_size, "expected == != >= <= > < or ~ at \"%.20s\"", p->at);
	return -1;
}

/* Take the literal's characters: a "quoted text", or all up to && or the end. */
static int take_literal(struct parser *p, char *out, size_t size)
{
	size_t used = 0;
	bool quoted = *p->at == '"';

	if (quoted)
		p->at++;
	while (*p->at) {
		if (quoted ? *p->at == '"' : strncmp(p->at, "&&", 2) == 0)
			break;
		if (quoted && *p->at == '\\' && p->at[1])
			p->at++;
		if (used + 1 >= size) {
			snprintf(p->message, p->message_size, "value is longer than %zu bytes",
				 size - 1);
			return -1;
		}
		out[used++] = *p->at++;
	}
	if (quoted && *p->at++ != '"') {
		snprintf(p->message, p->message_size, "the text's closing quote is missing");
		return -1;
	}
	while (!quoted && used && (out[used - 1] == ' ' || out[used - 1] == '\t'))
		used--;
	out[used] = '\0';
	if (!used && !quoted) {
		snprintf(p->message, p->message_size, "a value is missing after the operator");
		return -1;
	}
	return 0;
}

static int hex_digits(const char *text, uint8_t *out, size_t *length)
{
	*length = 0;
	while (*text) {
		unsigned byte;

		if (*text == ' ') {
			text++;
			continue;
		}
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    sscanf(text, "%2x", &byte) != 1)
			return -1;
		out[(*length)++] = (uint8_t)byte;
		text += 2;
	}
	return *length ? 0 : -1;
}

/* A value's bits become sign and magnitude, as of a number that was typed. */
static void set_choice_sign(struct shm_term *term)
{
	unsigned shift = (unsigned)(64 - term->field.length * 8);
	int64_t value = (int64_t)(term->magnitude << shift) >> shift;

	term->negative = term->field.type >= SET_FIELD_I8 && value < 0;
	if (term->negative)
		term->magnitude = 0 - (uint64_t)value;
}

static int set_literal(struct parser *p, struct shm_term *term, const char *text)
{
	enum set_field_type type = term->field.type;
	const char *digits = text;
	char *end = NULL;

	if (type == SET_FIELD_STRING) {
		term->text_length = strlen(text);
		memcpy(term->text, text, term->text_length);
		return 0;
	}
	if (type == SET_FIELD_BYTES) {
		if (hex_digits(text, term->text, &term->text_length) == 0)
			return 0;
		snprintf(p->message, p->message_size, "\"%.20s\" is not a row of hex bytes", text);
		return -1;
	}
	if (term->op == SHM_OP_HAS) {
		snprintf(p->message, p->message_size, "~ is for strings and bytes, not for %s",
			 shm_field_type_name(type));
		return -1;
	}
	errno = 0;
	if (type == SET_FIELD_F32 || type == SET_FIELD_F64) {
		term->real = strtod(text, &end);
	} else if (shm_field_choice_value(&term->field, text, &term->magnitude)) {
		set_choice_sign(term);
		return 0;
	} else {
		term->negative = *digits == '-';
		if (term->negative)
			digits++;
		if (isdigit((unsigned char)*digits))
			term->magnitude = strtoull(digits, &end, 0);
	}
	if (!end || end == digits || *end || errno) {
		snprintf(p->message, p->message_size, "\"%.20s\" is not a number for %s", text,
			 shm_field_type_name(type));
		return -1;
	}
	return 0;
}

int shm_expr_parse(struct shm_expr *expr, const struct set_region *region, const char *text,
		   char *message, size_t message_size)
{
	struct parser p = {
		.at = text, .region = region, .message = message, .message_size = message_size};
	char literal[SHM_EXPR_TEXT_MAX];

	memset(expr, 0, sizeof(*expr));
	for (;;) {
		struct shm_term *term = &expr->terms[expr->count];

		if (expr->count == SHM_EXPR_TERM_MAX) {
			snprintf(message, message_size, "more than %d conditions",
				 SHM_EXPR_TERM_MAX);
			return -1;
		}
		skip_space(&p);
		if (parse_operand(&p, term) != 0)
			return -1;
		skip_space(&p);
		if (parse_operator(&p, term) != 0)
			return -1;
		skip_space(&p);
		if (take_literal(&p, literal, sizeof(literal)) != 0 ||
		    set_literal(&p, term, literal) != 0)
			return -1;
		expr->count++;
		skip_space(&p);
		if (!*p.at)
			return 0;
		if (strncmp(p.at, "&&", 2) != 0) {
			snprintf(message, message_size, "expected && at \"%.20s\"", p.at);
			return -1;
		}
		p.at += 2;
	}
}

static int sign_of_difference(__int128 left, __int128 right)
{
	return left < right ? -1 : left > right;
}

static int compare_bytes(const struct shm_value *value, const struct shm_term *term)
{
	size_t both = value->length < term->text_length ? value->length : term->text_length;
	int order = memcmp(value->bytes, term->text, both);

	if (order)
		return order;
	return value->length < term->text_length ? -1 : value->length > term->text_length;
}

static bool decide(enum shm_op op, int order)
{
	switch (op) {
	case SHM_OP_EQ:
		return order == 0;
	case SHM_OP_NE:
		return order != 0;
	case SHM_OP_GE:
		return order >= 0;
	case SHM_OP_LE:
		return order <= 0;
	case SHM_OP_GT:
		return order > 0;
	case SHM_OP_LT:
		return order < 0;
	case SHM_OP_HAS:
		break;
	}
	return false;
}

static bool term_holds(const struct shm_term *term, const uint8_t *bytes)
{
	struct shm_value value = shm_field_value(&term->field, bytes);
	__int128 right = term->negative ? -(__int128)term->magnitude : (__int128)term->magnitude;

	switch (value.kind) {
	case SHM_VALUE_UNSIGNED:
		return decide(term->op, sign_of_difference((__int128)value.u, right));
	case SHM_VALUE_SIGNED:
		return decide(term->op, sign_of_difference(value.i, right));
	case SHM_VALUE_FLOAT:
		if (value.f != value.f) /* not a number: equal to nothing */
			return term->op == SHM_OP_NE;
		return decide(term->op, value.f < term->real ? -1 : value.f > term->real);
	case SHM_VALUE_BYTES:
		if (term->op == SHM_OP_HAS)
			return memmem(value.bytes, value.length, term->text, term->text_length) !=
			       NULL;
		return decide(term->op, compare_bytes(&value, term));
	}
	return false;
}

bool shm_expr_holds(const struct shm_expr *expr, shm_expr_read read, void *context)
{
	uint8_t bytes[FIELD_READ_MAX];

	for (size_t i = 0; i < expr->count; i++) {
		struct shm_term term = expr->terms[i];

		if (term.field.length > sizeof(bytes))
			term.field.length = sizeof(bytes);
		if (!read(context, term.field.at, bytes, (size_t)term.field.length) ||
		    !term_holds(&term, bytes))
			return false;
	}
	return true;
}
