/* SPDX-License-Identifier: MIT */
/* share.h - guest-agent/shared (locks, rings, mailboxes, heaps) in a program of a Linux guest, through /dev/avisor. */
#pragma once

#include <avisor/linux.h>

#include "shared/shared.h"

struct share {
	int fd;
	struct avisor_region region;
	unsigned char *base; /* of its contents: the common section, then the members' */
	struct shared_view view;
};

/*
 * The region of the YAML file with this name, mapped with the right that this VM has to all of it (with sections: for
 * reading; map those for writing yourself). 0, or -1 with errno. *share stays in use.
 */
int share_open(struct share *share, const char *name);
