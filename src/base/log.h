/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_BASE_LOG_H
#define SK_BASE_LOG_H

/**
 * The log's front. Rooms on floors 2 and up may log; pure rooms (base, proto, scsi) never do. The program sets the
 * sink once at start; without one nothing is printed. A line says who, what and why, and never holds a secret.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum sk_level {
	SK_LOG_ERROR,	/* someone must act */
	SK_LOG_WARNING,
	SK_LOG_NOTICE,	/* state changes an operator asks about later */
	SK_LOG_DEBUG,
};

enum sk_room {
	SK_ROOM_LOOP = 1 << 0,
	SK_ROOM_WIRE = 1 << 1,
	SK_ROOM_SYS = 1 << 2,
	SK_ROOM_RECORD = 1 << 3,
	SK_ROOM_TRANSPORT = 1 << 4,
	SK_ROOM_DATAPATH = 1 << 5,
	SK_ROOM_SESSION = 1 << 6,
	SK_ROOM_DISCOVER = 1 << 7,
	SK_ROOM_MGMT = 1 << 8,
	SK_ROOM_DOOR = 1 << 9,	/* the programs themselves */
	SK_ROOM_ALL = (1 << 10) - 1,
};

/** What a line is about, for logs that keep fields beside the text. Strings are lent for the call; NULL and 0: not known. */
struct sk_log_subject {
	uint32_t sid;
	const char *target, *portal, *iface;
	const char *state, *cause;	/* words of the session machine */
	int sys;			/* errno, or the kernel's own connection error (1001 and up) */
	uint16_t login;			/* Status-Class << 8 | Status-Detail */
};

typedef void sk_log_sink(void *ctx, enum sk_level level, enum sk_room room, const char *text);

/** sk_log_to - set the sink; lines up to @level pass, debug lines only of the rooms in the set @rooms */
void sk_log_to(sk_log_sink *sink, void *ctx, enum sk_level level, unsigned rooms);

/** sk_log_on - would such a line be printed? For callers whose arguments are costly */
bool sk_log_on(enum sk_level level, enum sk_room room);

void sk_log(enum sk_level level, enum sk_room room, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** sk_log_of - as sk_log, of @subject: the sink may ask for it with sk_log_subject, NULL outside of such a call */
void sk_log_of(const struct sk_log_subject *subject, enum sk_level level, enum sk_room room, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
const struct sk_log_subject *sk_log_subject(void);

/** sk_log_rooms - the set for a comma separated list of names ("session,wire", "all"); 0 if a name is unknown */
unsigned sk_log_rooms(const char *list);

#define sk_error(room, ...) sk_log(SK_LOG_ERROR, room, __VA_ARGS__)
#define sk_warning(room, ...) sk_log(SK_LOG_WARNING, room, __VA_ARGS__)
#define sk_notice(room, ...) sk_log(SK_LOG_NOTICE, room, __VA_ARGS__)
#define sk_debug(room, ...)                                     \
	do {                                                    \
		if (sk_log_on(SK_LOG_DEBUG, room))              \
			sk_log(SK_LOG_DEBUG, room, __VA_ARGS__); \
	} while (0)

#endif
