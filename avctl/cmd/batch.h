/* SPDX-License-Identifier: MIT */
/*
 * batch.h - splitting a command line.
 */
#pragma once

#define BATCH_WORD_MAX 64

/*
 * Split line, in place, into at most `room` words: blanks separate, '...' and "..." quote, a
 * backslash takes the next character as it is, # at the start of a word begins a comment. Returns
 * their count, -1 when a quote does not end or there are too many words.
 */
int batch_split(char *line, char **words, int room);
