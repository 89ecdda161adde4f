/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "iscsi-session/lun.h"
#include "scsi/cdb.h"

#define FIRST_PATIENCE_MS 20000U	/* a LUN that is not ready delays the scan by that much at most */
#define MODE_ALL 0x3f
#define MODE_CACHING 0x08

/* The steps: which page, how it is asked for and read, and when it is asked for at all. */

static int got_inquiry(struct sk_lun_facts *f, struct sk_span data, struct sk_err *err)
{
	return sk_inquiry_parse(data, &f->inq, err);
}

static int got_pages(struct sk_lun_facts *f, struct sk_span data, struct sk_err *err)
{
	f->has_pages = sk_vpd_pages_parse(data, &f->pages, err) == 0;
	return f->has_pages ? 0 : -1;
}

static int got_serial(struct sk_lun_facts *f, struct sk_span data, struct sk_err *err)
{
	return sk_vpd_serial_parse(data, f->serial, err);
}

static int got_ident(struct sk_lun_facts *f, struct sk_span data, struct sk_err *err)
{
	return sk_vpd_ident_parse(data, &f->ident, err);
}

static int got_capacity16(struct sk_lun_facts *f, struct sk_span data, struct sk_err *err)
{
	f->has_cap = sk_capacity16_parse(data, &f->cap, err) == 0;
	return f->has_cap ? 0 : -1;
}

static int got_capacity10(struct sk_lun_facts *f, struct sk_span data, struct sk_err *err)
{
	bool more = false;

	if (sk_capacity10_parse(data, &f->cap, &more, err) < 0)
		return -1;
	if (more)
		return sk_fail(err, SK_EPROTO, "a capacity only READ CAPACITY(16) tells, which the device refused");
	f->has_cap = true;
	return 0;
}

static int got_mode6(struct sk_lun_facts *f, struct sk_span data, struct sk_err *err)
{
	f->has_mode = sk_mode6_parse(data, &f->mode, err) == 0;
	return f->has_mode ? 0 : -1;
}

static int got_limits(struct sk_lun_facts *f, struct sk_span data, struct sk_err *err)
{
	f->has_limits = sk_vpd_limits_parse(data, &f->limits, err) == 0;
	return f->has_limits ? 0 : -1;
}

static int got_provision(struct sk_lun_facts *f, struct sk_span data, struct sk_err *err)
{
	f->has_provision = sk_vpd_provision_parse(data, &f->provision, err) == 0;
	return f->has_provision ? 0 : -1;
}

static uint32_t ask_inquiry(uint8_t *cdb, uint8_t page)
{
	(void)page;
	sk_cdb_inquiry(cdb, 96);
	return 96;
}

static uint32_t ask_vpd(uint8_t *cdb, uint8_t page)
{
	uint16_t room = page == SK_VPD_IDENT ? SK_PROBE_BUF : 255;

	sk_cdb_inquiry_vpd(cdb, page, room);
	return room;
}

static uint32_t ask_capacity16(uint8_t *cdb, uint8_t page)
{
	(void)page;
	sk_cdb_read_capacity16(cdb, 32);
	return 32;
}

static uint32_t ask_capacity10(uint8_t *cdb, uint8_t page)
{
	(void)page;
	sk_cdb_read_capacity10(cdb);
	return 8;
}

static uint32_t ask_mode6(uint8_t *cdb, uint8_t page)
{
	sk_cdb_mode_sense6(cdb, page, false, 255);
	return 255;
}

enum when { ALWAYS, IF_LISTED, IF_DISK, IF_NO_CAPACITY, IF_NO_MODE };

static const struct probe_step {
	const char *what;
	uint32_t (*ask)(uint8_t *cdb, uint8_t page);	/* returns the allocation length */
	int (*got)(struct sk_lun_facts *, struct sk_span, struct sk_err *);
	uint8_t page;
	enum when when;
	bool needed;	/* without its answer the LUN is not served */
	bool size;	/* also part of SK_PROBE_CAPACITY */
} steps[] = {
	{ "INQUIRY", ask_inquiry, got_inquiry, 0, ALWAYS, true, false },
	{ "the list of VPD pages", ask_vpd, got_pages, SK_VPD_SUPPORTED, ALWAYS, false, false },
	{ "the serial number", ask_vpd, got_serial, SK_VPD_SERIAL, IF_LISTED, false, false },
	{ "the identification", ask_vpd, got_ident, SK_VPD_IDENT, IF_LISTED, false, false },
	{ "the block limits", ask_vpd, got_limits, SK_VPD_LIMITS, IF_LISTED, false, false },
	{ "the provisioning", ask_vpd, got_provision, SK_VPD_PROVISION, IF_LISTED, false, false },
	{ "READ CAPACITY(16)", ask_capacity16, got_capacity16, 0, IF_DISK, false, true },
	{ "READ CAPACITY(10)", ask_capacity10, got_capacity10, 0, IF_NO_CAPACITY, true, true },
	{ "the caching mode page", ask_mode6, got_mode6, MODE_CACHING, IF_DISK, false, true },
	{ "the mode pages", ask_mode6, got_mode6, MODE_ALL, IF_NO_MODE, false, true },
};

static bool step_wanted(const struct sk_probe *p, const struct probe_step *st)
{
	const struct sk_lun_facts *f = &p->now;

	if (p->kind == SK_PROBE_CAPACITY && !st->size)
		return false;
	switch (st->when) {
	case ALWAYS:
		return true;
	case IF_LISTED:
		return f->has_pages && sk_vpd_has(&f->pages, st->page);
	case IF_DISK:
		return sk_lun_is_disk(f);
	case IF_NO_CAPACITY:
		return sk_lun_is_disk(f) && !f->has_cap;
	case IF_NO_MODE:
		return sk_lun_is_disk(f) && !f->has_mode;
	}
	return false;
}

bool sk_probe_holds(const struct sk_lun *l)
{
	return l->probe.kind == SK_PROBE_ALL || l->probe.again == SK_PROBE_ALL;
}

static void begin(struct sk_lun *l, enum sk_probe_kind kind)
{
	struct sk_probe *p = &l->probe;

	l->s->house_ms = 0;
	p->kind = kind;
	p->step = 0;
	p->tries = 0;
	p->retry_ms = 1;	/* at once */
	p->since_ms = l->s->now_ms;
	memset(&p->now, 0, sizeof(p->now));
	if (kind == SK_PROBE_CAPACITY) {
		p->now = l->facts;
		p->now.has_cap = p->now.has_mode = false;
		while (!steps[p->step].size)
			p->step++;
	}
}

void sk_probe_start(struct sk_lun *l, enum sk_probe_kind kind)
{
	if (kind == SK_PROBE_CAPACITY && l->state != SK_LUN_UP)
		kind = SK_PROBE_ALL;
	if (l->probe.kind == SK_PROBE_NONE)
		begin(l, kind);
	else
		l->probe.again = SK_MAX(l->probe.again, kind);
}

void sk_probe_pump(struct sk_lun *l)
{
	struct sk_probe *p = &l->probe;
	struct sk_errand *j;

	if (p->kind == SK_PROBE_NONE || !p->retry_ms || p->retry_ms > l->s->now_ms || l->s->state != SK_SERVE_UP)
		return;
	j = sk_errand_get(l->s, SK_ERRAND_PROBE, l, l->wire);
	if (!j)
		return;
	memset(p->buf, 0, SK_PROBE_BUF);
	sk_errand_read(j, p->buf, steps[p->step].ask(j->task->cdb, steps[p->step].page));
	p->retry_ms = 0;
	sk_errand_send(l->s, j);
}

void sk_probe_lost(struct sk_lun *l)
{
	if (l->probe.kind != SK_PROBE_NONE)
		begin(l, l->probe.kind);	/* from the start, when a connection is there again */
}

static void over(struct sk_lun *l)
{
	enum sk_probe_kind next = l->probe.again;

	l->probe.kind = l->probe.again = SK_PROBE_NONE;
	l->s->house_ms = 0;
	if (next != SK_PROBE_NONE)
		begin(l, next);
}

static void settle(struct sk_lun *l)
{
	struct sk_lun_facts *f = &l->probe.now;

	l->look_ms = l->look_delay_ms = 0;
	if (f->ident.kind == SK_IDENT_NONE)
		sk_ident_from_serial(&f->inq, f->serial, &f->ident);
	if (f->inq.qualifier != 0 && l->state != SK_LUN_NEW)
		sk_lun_off(l, false, "no device answers here any more");
	else if (l->unit != SK_UNIT_NONE)
		sk_lun_settle_known(l);
	else
		sk_lun_settle_new(l);
	over(l);
}

void sk_probe_look_again(struct sk_lun *l)
{
	l->look_delay_ms = l->look_delay_ms ? SK_MIN(2 * l->look_delay_ms, SK_LOOK_LAST_MS) : SK_LOOK_FIRST_MS;
	l->look_ms = l->s->now_ms + l->look_delay_ms;
	l->s->house_ms = 0;
}

static void give_up(struct sk_lun *l, const char *what, const char *why, bool gone)
{
	sk_warning(SK_ROOM_DATAPATH, "lun %" PRIu64 ": %s: %s", l->number, what, why);
	if (!gone)
		sk_probe_look_again(l);
	if (l->unit != SK_UNIT_NONE && (gone || l->probe.kind == SK_PROBE_ALL))
		sk_lun_off(l, false, gone ? "the target does not have it any more" : "it could not be identified");
	else if (l->unit == SK_UNIT_NONE)
		l->state = SK_LUN_NODISK;
	over(l);
}

static void next_step(struct sk_lun *l)
{
	struct sk_probe *p = &l->probe;

	p->tries = 0;
	do
		p->step++;
	while (p->step < SK_ARRAY_LEN(steps) && !step_wanted(p, &steps[p->step]));
	if (p->step == SK_ARRAY_LEN(steps)) {
		settle(l);
		return;
	}
	p->retry_ms = 1;
	l->s->house_ms = 0;
}

void sk_probe_due(struct sk_lun *l)
{
	if (!l->look_ms || l->look_ms > l->s->now_ms)
		return;
	l->look_ms = 0;
	sk_probe_start(l, SK_PROBE_ALL);
}

static const char *failure_text(const struct sk_task *t, char *buf, size_t n)
{
	struct sk_sense sense = sk_sense_parse(sk_span(t->sense, t->sense_len));

	if (t->end != SK_END_STATUS)
		return "no answer";
	return sense.valid ? sk_sense_text(&sense, buf, n) : sk_status_words(t->scsi_status);
}

void sk_probe_done(struct sk_lun *l, struct sk_errand *j)
{
	struct sk_probe *p = &l->probe;
	const struct probe_step *st = &steps[p->step];
	struct sk_task *t = j->task;
	struct sk_verdict v = sk_errand_verdict(t, p->tries);
	uint64_t patience = l->state == SK_LUN_NEW ? FIRST_PATIENCE_MS : SK_PROBE_PATIENCE_MS;
	struct sk_err err = { .msg = "" };
	char text[160];

	if (t->end == SK_END_LOST) {
		sk_probe_lost(l);
		return;
	}
	sk_lun_note(l, t, &v);
	if (sk_react_retries(v.react) && (v.react != SK_REACT_LATER || l->s->now_ms - p->since_ms < patience)) {
		p->tries++;
		p->retry_ms = SK_MAX(l->s->now_ms + v.delay_ms, 1U);
		l->s->house_ms = 0;
		if (v.react == SK_REACT_LUNS)
			sk_scan_start(l->s);
		return;
	}
	if (v.react == SK_REACT_DONE && st->got(&p->now, sk_span(p->buf, SK_MIN(t->transferred, SK_PROBE_BUF)), &err) == 0)
		next_step(l);
	else if (v.react == SK_REACT_GONE)
		give_up(l, st->what, failure_text(t, text, sizeof(text)), true);
	else if (st->needed)
		give_up(l, st->what, err.msg[0] ? err.msg : failure_text(t, text, sizeof(text)), false);
	else
		next_step(l);
}
