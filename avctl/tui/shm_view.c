/* SPDX-License-Identifier: MIT */
/* shm_view.c - reads a shared region out of the RAM file that QEMU maps.
 * Uses pread() only: the file may be cut under us, and a mapping would answer with SIGBUS. Never
 * writes. */
#include "tui/shm_view.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

size_t shm_view_read(const struct shm_view *view, uint64_t at, void *buffer, size_t length)
{
	uint8_t *bytes = buffer;
	size_t done = 0;

	if (at >= view->region->size)
		return 0;
	if (length > view->region->size - at)
		length = (size_t)(view->region->size - at);
	while (done < length) {
		ssize_t n = pread(view->ram_fd, bytes + done, length - done,
				  (off_t)(view->offset + at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

bool shm_view_state(const struct shm_view *view, struct av_region_state *state)
{
	uint64_t at = (view->region->size + AV_REGION_STATE_SIZE - 1) / AV_REGION_STATE_SIZE *
		      AV_REGION_STATE_SIZE;

	return pread(view->ram_fd, state, sizeof(*state), (off_t)(view->offset + at)) ==
		       (ssize_t)sizeof(*state) &&
	       state->magic == AV_REGION_STATE_MAGIC && state->version == AV_REGION_STATE_VERSION;
}

uint64_t shm_view_member(const struct shm_view *view, const struct av_region_state *state, size_t i)
{
	size_t number = view->numbered && i < AV_REGION_MEMBERS ? view->numbers[i] : i;

	return number < AV_REGION_MEMBERS ? state->member[number] : AV_MEMBER_NONE;
}

bool shm_view_gone(const struct shm_view *view)
{
	struct av_region_state state;
	struct stat st;

	if (view->serial && (!shm_view_state(view, &state) || state.serial != view->serial))
		return true;
	if (view->owner > 0 && kill(view->owner, 0) != 0 && errno == ESRCH)
		return true;
	if (fstat(view->ram_fd, &st) != 0 || st.st_nlink == 0)
		return true;
	return S_ISREG(st.st_mode) && (uint64_t)st.st_size < view->offset + view->region->size;
}
