/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TESTS_FAULT_WRONG_H
#define SK_TESTS_FAULT_WRONG_H

/** What can be wrong with an answer: one function per offence, done to a PDU on its way out. Each says what it needs. */

#include "fault/dice.h"
#include "fault/target.h"

#define AT(moment) (1U << (moment))
#define AT_LOGIN (AT(TG_SECURITY) | AT(TG_CHAP) | AT(TG_OPERATIONAL))
#define AT_DATA (AT(TG_READ) | AT(TG_READ_END))
#define AT_STATUS (AT(TG_READ_END) | AT(TG_WRITE_END) | AT(TG_FLUSH))
#define AT_IO (AT(TG_READ) | AT(TG_R2T) | AT_STATUS)
#define AT_FFP (AT(TG_SCAN) | AT_IO | AT(TG_PING))

struct wrong {
	const char *name;
	unsigned at;		/* moments it fits */
	void (*fn)(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d);
	uint32_t arg;
	bool lie;		/* tells untruths about data that nobody could notice */
};

extern const struct wrong wrongs[];
extern const unsigned n_wrongs;

const struct wrong *wrong_find(const char *name);
void wrong_do(const struct wrong *w, struct target *t, struct tg_pdu *p, struct dice *d);

#endif
