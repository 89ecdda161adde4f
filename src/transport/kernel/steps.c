/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "transport/kernel/inner.h"

/** What the order thread does: sequences of netlink commands that belong together. */

#define CMD_SN	    1
#define CLASHES_MAX 4096

static int call(const struct sk_kcmd *c, const struct sk_buf *out, struct sk_nl_msg *ret, struct sk_err *err)
{
	struct sk_nl_msg unused;

	return sk_nl_call(c->k->cmd_fd, out, ret ? ret : &unused, err);
}

static int session_call(const struct sk_kcmd *c, enum sk_nl_type type, struct sk_err *err)
{
	SK_BUF struct sk_buf out = { 0 };

	sk_nl_put_session(&out, type, c->o->handle, c->o->sid);
	return call(c, &out, NULL, err);
}

static int conn_call(const struct sk_kcmd *c, enum sk_nl_type type, struct sk_err *err)
{
	SK_BUF struct sk_buf out = { 0 };

	sk_nl_put_conn(&out, type, c->o->handle, c->o->sid, 0);
	return call(c, &out, NULL, err);
}

static int stop(const struct sk_kcmd *c, enum sk_nl_stop how, struct sk_err *err)
{
	SK_BUF struct sk_buf out = { 0 };

	sk_nl_put_stop(&out, c->o->handle, c->o->sid, 0, how);
	return call(c, &out, NULL, err);
}

/* Has a user session this id? Then the kernel is asked for another one: ids are unique over both. */
static bool clashes(const struct sk_kcmd *c)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/session/%u", c->k->t.places->rundir, c->o->sid);
	return access(path, F_OK) == 0;
}

static int create(struct sk_kcmd *c, struct sk_err *err)
{
	SK_BUF struct sk_buf out = { 0 };
	struct sk_nl_msg m;

	if (sk_sys_handle(c->k->t.places, SK_KERNEL_NAME, &c->o->handle, err) < 0)
		return -1;
	for (unsigned i = 0; i < CLASHES_MAX; i++) {
		sk_nl_put_create(&out, c->o->handle, CMD_SN, c->cmds_max, c->queue_depth);
		if (call(c, &out, &m, err) < 0)
			return -1;
		c->o->sid = m.sid;
		c->o->host = m.host;
		c->o->session = true;
		if (!clashes(c))
			break;
		if (session_call(c, SK_NL_DESTROY_SESSION, err) < 0)
			return -1;
		c->o->session = false;
	}
	if (!c->o->session)
		return sk_fail(err, SK_EEXIST, "every session id of the kernel is a user session's");
	if (conn_call(c, SK_NL_CREATE_CONN, err) < 0)
		return -1;
	c->o->conn = true;
	return 0;
}

static int bind_socket(const struct sk_kcmd *c, struct sk_err *err)
{
	SK_BUF struct sk_buf out = { 0 };
	struct sk_err why = { 0 };

	sk_nl_put_bind(&out, c->o->handle, c->o->sid, 0, (uint64_t)c->fd);
	if (call(c, &out, NULL, &why) == 0)
		return 0;
	if (why.sys == ENOTCONN) { /* the kernel cleaned up by itself and waits to be told that we know */
		if (stop(c, SK_NL_STOP_RECOVER, err) < 0)
			return -1;
		return call(c, &out, NULL, err);
	}
	*err = why;
	return -1;
}

/* What a kernel does not know (ENOSYS) it does without. */
static int set_params(const struct sk_kcmd *c, struct sk_err *err)
{
	SK_BUF struct sk_buf out = { 0 };
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < c->params->n; i++) {
		const struct sk_kparam *p = &c->params->p[i];
		struct sk_err why = { 0 };

		rc = p->host ? sk_nl_put_host_param(&out, c->o->handle, c->o->host, p->number, p->text, err)
			     : sk_nl_put_param(&out, c->o->handle, c->o->sid, 0, p->number, p->text, err);
		if (rc < 0 || call(c, &out, NULL, &why) == 0 || why.sys == ENOSYS)
			continue;
		*err = why;
		rc = sk_in(err, "%sparameter %u", p->host ? "host " : "", p->number);
	}
	if (out.p)
		explicit_bzero(out.p, out.cap);
	return rc;
}

int sk_kstep_attach(struct sk_kcmd *c, struct sk_err *err)
{
	if (c->fresh && create(c, err) < 0)
		return sk_in(err, "create a session in the kernel");
	if (bind_socket(c, err) < 0)
		return sk_in(err, "give the connection to the kernel");
	return set_params(c, err);
}

int sk_kstep_send(struct sk_kcmd *c, struct sk_err *err)
{
	struct sk_buf out = { 0 };
	int rc = sk_nl_put_pdu(&out, c->o->handle, c->o->sid, 0, &c->pdu, err);

	if (rc == 0)
		rc = call(c, &out, NULL, err);
	sk_buf_wipe(&out); /* may hold a CHAP response */
	return rc;
}

int sk_kstep_start(struct sk_kcmd *c, struct sk_err *err)
{
	if (set_params(c, err) < 0)
		return -1;
	return conn_call(c, SK_NL_START_CONN, err);
}

int sk_kstep_stop(struct sk_kcmd *c, struct sk_err *err)
{
	return c->o->conn ? stop(c, c->how, err) : 0;
}

int sk_kstep_unbind(struct sk_kcmd *c, struct sk_err *err)
{
	struct sk_sys_life life;

	sk_sys_life(c->k->t.places, c->o->sid, &life);
	c->flag = !strcmp(life.target, "UNBOUND") || (life.target[0] && life.target_id == -1);
	if (c->flag)
		return 0; /* its devices are gone already: no event would follow */
	return session_call(c, SK_NL_UNBIND_SESSION, err);
}

/* As far as there is something. Where the kernel can, it takes the devices away in the background. */
int sk_kstep_destroy(struct sk_kcmd *c, struct sk_err *err)
{
	struct sk_err why = { 0 };

	c->flag = false; /* gone when this returns */
	if (c->o->conn) {
		(void)stop(c, SK_NL_STOP_TERM, NULL);
		if (conn_call(c, SK_NL_DESTROY_CONN, &why) < 0 && why.sys != EINVAL) {
			*err = why;
			return -1;
		}
		c->o->conn = false;
	}
	if (!c->o->session)
		return 0;
	if (!c->k->no_async) {
		if (session_call(c, SK_NL_DESTROY_SESSION_ASYNC, &why) == 0) {
			c->flag = true;
			c->o->session = false;
			return 0;
		}
		c->k->no_async = why.sys == ENOSYS;
	}
	why = (struct sk_err){ 0 };
	if (session_call(c, SK_NL_DESTROY_SESSION, &why) < 0 && why.sys != EINVAL) { /* EINVAL: no such session */
		*err = why;
		return -1;
	}
	c->o->session = false;
	return 0;
}

/* The kernel gives statistics to a member of group 1 only, and would try for ever, with everybody waiting, if none could
 * take them: so this is asked with an empty socket of our own in the group. */
int sk_kstep_stats(struct sk_kcmd *c, struct sk_err *err)
{
	uint8_t buf[SK_NL_DATAGRAM];
	SK_BUF struct sk_buf out = { 0 };
	struct sk_nl_msg m;
	SK_FD int fd = -1;
	int got;

	if (sk_nl_open(true, &fd, err) < 0)
		return -1;
	sk_nl_put_conn(&out, SK_NL_GET_STATS, c->o->handle, c->o->sid, 0);
	if (out.nomem || write(fd, out.p, out.n) != (ssize_t)out.n)
		return sk_fail_sys(err, errno, "ask the kernel for statistics");
	while ((got = sk_nl_next(fd, buf, &m, err)) != 0) {
		if (got < 0 && err->code != SK_EPROTO)
			return -1;
		if (got > 0 && m.reply_to == SK_NL_GET_STATS && m.error)
			return sk_fail_sys(err, m.error, "statistics");
		if (got > 0 && !m.reply_to && m.type == SK_NL_GET_STATS && m.sid == c->o->sid) {
			sk_buf_add(&c->text, m.stats.p, m.stats.n);
			return c->text.nomem ? sk_fail(err, SK_ENOMEM, "no memory") : 0;
		}
	}
	return sk_fail(err, SK_EAGAIN, "the kernel gave no statistics");
}
