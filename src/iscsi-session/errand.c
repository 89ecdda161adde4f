/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "iscsi-session/lun.h"

#define PROBE_MS 15000U
#define LOST_TRIES 3	/* a command that was aborted or rejected is sent again so often */
#define LOST_DELAY_MS 500U

struct sk_errand *sk_errand_get(struct sk_serve *s, enum sk_errand_kind kind, struct sk_lun *lun, uint64_t wire)
{
	struct sk_errand *j = s->idle;
	struct sk_task *t = j ? sk_engine_task(s->e) : NULL;

	if (!t) {
		s->starved = true;
		return NULL;
	}
	s->idle = j->next;
	j->next = NULL;
	j->kind = kind;
	j->lun = lun;
	j->req = NULL;
	j->task = t;
	j->seq = s->seq++;
	t->owner = j;
	t->lun = wire;
	t->attr = 1;
	t->deadline_ms = s->now_ms + (kind == SK_ERRAND_BLOCK ? SK_IO_MS : PROBE_MS);
	return j;
}

void sk_errand_read(struct sk_errand *j, void *buf, uint32_t len)
{
	struct sk_task *t = j->task;

	t->dir = SK_DIR_READ;
	t->len = len;
	t->iov1 = (struct iovec){ buf, len };
	t->iov = &t->iov1;
	t->n_iov = 1;
}

void sk_errand_send(struct sk_serve *s, struct sk_errand *j)
{
	sk_engine_submit(s->e, j->task);
}

void sk_errand_put(struct sk_serve *s, struct sk_errand *j)
{
	sk_engine_task_put(s->e, j->task);
	j->task = NULL;
	j->next = s->idle;
	s->idle = j;
}

struct sk_verdict sk_errand_verdict(const struct sk_task *t, unsigned tries)
{
	if (t->end == SK_END_STATUS)
		return sk_verdict(t->scsi_status, sk_span(t->sense, t->sense_len), tries);
	if (t->unsent) /* as good as BUSY: for as long as the caller has patience */
		tries = 0;
	if (t->end != SK_END_LOST && tries < LOST_TRIES)
		return (struct sk_verdict){ .react = SK_REACT_LATER, .delay_ms = LOST_DELAY_MS, .sys = EIO };
	return (struct sk_verdict){ .react = SK_REACT_FAIL, .sys = EIO };
}
