/* SPDX-License-Identifier: MIT */
/*
 * restored.c - after a restore: fresh random numbers and the right time.
 * The kernel's generator is in the snapshot, so two restores of one would go on alike; the system clock goes on from the
 * snapshot, while the real-time clock shows the world's. Never trusts either to be there.
 */
#include "linux/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <linux/rtc.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void restored_identity(const struct service_result *identity)
{
	struct {
		struct rand_pool_info info;
		uint64_t data[4];
	} pool = {.info = {.entropy_count = 128, .buf_size = sizeof(pool.data)}};
	struct timespec now;
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	clock_gettime(CLOCK_MONOTONIC, &now);
	memcpy(pool.data, identity->value, sizeof(identity->value));
	pool.data[3] = (uint64_t)now.tv_nsec;
	/* The kernel takes the bytes from where info.buf is: right behind info. */
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) < 0 ||
	    (ioctl(fd, RNDRESEEDCRNG) < 0 && errno != ENODATA))
		agent_say("the kernel's random pool could not be fed: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static bool read_rtc(int64_t *seconds)
{
	struct rtc_time rtc;
	struct tm tm = {0};
	int fd = open("/dev/rtc0", O_RDONLY | O_CLOEXEC);
	bool good = fd >= 0 && ioctl(fd, RTC_RD_TIME, &rtc) == 0;

	if (fd >= 0)
		close(fd);
	if (!good)
		return false;
	tm.tm_sec = rtc.tm_sec;
	tm.tm_min = rtc.tm_min;
	tm.tm_hour = rtc.tm_hour;
	tm.tm_mday = rtc.tm_mday;
	tm.tm_mon = rtc.tm_mon;
	tm.tm_year = rtc.tm_year;
	*seconds = timegm(&tm);
	return true;
}

/* At once to half a second; then to the moment when the real-time clock, which has whole seconds, goes on. */
bool restored_clock(void)
{
	static int64_t seen = -1;
	int64_t seconds;
	bool ticked;

	if (!read_rtc(&seconds)) {
		agent_say("no real-time clock: wall time is the snapshot's");
		seen = -1;
		return false;
	}
	if (seconds == seen)
		return true;
	ticked = seconds == seen + 1;
	if (clock_settime(CLOCK_REALTIME, &(struct timespec){seconds, ticked ? 0 : 500000000}) <
	    0) {
		agent_say("wall time could not be set: %s", strerror(errno));
		ticked = true;
	}
	seen = ticked ? -1 : seconds;
	return !ticked;
}
