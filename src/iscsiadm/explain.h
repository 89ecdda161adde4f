/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_EXPLAIN_H
#define SK_ISCSIADM_EXPLAIN_H

/** Sessions explained (--explain): what is agreed, what each timer is, why the state is what it is, what comes
 * next. */

#include "iscsiadm/select.h"

/** sk_explain_selected - the sessions of @sel; returns an exit status */
int sk_explain_selected(struct sk_adm *adm, const struct sk_sel *sel);

/** One timer: what the record in the database says and what the session runs with, as numbers; unknown: known is
 * false */
struct sk_adm_timer {
	const char *key; /* lent for ever */
	struct {
		bool known;
		int64_t v;
	} record, running;
	bool live; /* a running session can take it over */
};
#define SK_ADM_TIMERS 12

/** What the advice is made from, beside what iscsid itself advises. */
struct sk_adm_facts {
	struct sk_adm_timer timers[SK_ADM_TIMERS];
	bool multipath; /* dm-multipath holds one of its disks */
	bool user;	/* of the user transport */
	unsigned disks;
};

/** How long until an outage shows, in seconds; -1: never by itself, -2: not known */
struct sk_adm_outage {
	int64_t noticed_s;  /* a link or a target that died without a word */
	int64_t io_error_s; /* ... and requests fail */
};
void sk_adm_outage_of(const struct sk_adm_facts *f, struct sk_adm_outage *ret);

/** sk_adm_advise - one sentence for each thing that could be better, appended one a line. Pure */
void sk_adm_advise(const struct sk_adm_facts *f, struct sk_buf *out);

/** sk_adm_timer_of - the timer of this key; NULL when there is none */
const struct sk_adm_timer *sk_adm_timer_of(const struct sk_adm_facts *f, const char *key);

#endif
