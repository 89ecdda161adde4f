/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* The one mutable global of the libraries: where this process's log goes. Set once, before threads start. */
static struct {
	sk_log_sink *sink;
	void *ctx;
	enum sk_level level;
	unsigned rooms;
} to;

void sk_log_to(sk_log_sink *sink, void *ctx, enum sk_level level, unsigned rooms)
{
	to.sink = sink;
	to.ctx = ctx;
	to.level = level;
	to.rooms = rooms;
}

bool sk_log_on(enum sk_level level, enum sk_room room)
{
	return to.sink && level <= to.level && (level < SK_LOG_DEBUG || (to.rooms & (unsigned)room));
}

static _Thread_local const struct sk_log_subject *subject_now;

__attribute__((format(printf, 3, 0))) static void vlog(enum sk_level level, enum sk_room room, const char *fmt, va_list ap)
{
	char line[1024];

	if (!sk_log_on(level, room))
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	for (char *c = line; *c; c++) /* one call, one line, whatever a peer put into a name */
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	to.sink(to.ctx, level, room, line);
}

void sk_log(enum sk_level level, enum sk_room room, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(level, room, fmt, ap);
	va_end(ap);
}

void sk_log_of(const struct sk_log_subject *subject, enum sk_level level, enum sk_room room, const char *fmt, ...)
{
	va_list ap;

	subject_now = subject;
	va_start(ap, fmt);
	vlog(level, room, fmt, ap);
	va_end(ap);
	subject_now = NULL;
}

const struct sk_log_subject *sk_log_subject(void)
{
	return subject_now;
}

unsigned sk_log_rooms(const char *list)
{
	static const char *const names[] = { "loop",	 "wire",    "sys",	"record", "transport",
					     "datapath", "session", "discover", "mgmt",	  "door" };
	unsigned set = 0;

	while (*list) {
		size_t n = strcspn(list, ",");
		unsigned bit = 0;

		if (n == 3 && !memcmp(list, "all", 3))
			bit = SK_ROOM_ALL;
		for (unsigned i = 0; i < SK_ARRAY_LEN(names); i++)
			if (strlen(names[i]) == n && !memcmp(list, names[i], n))
				bit = 1U << i;
		if (!bit)
			return 0;
		set |= bit;
		list += n + (list[n] == ',');
	}
	return set;
}
