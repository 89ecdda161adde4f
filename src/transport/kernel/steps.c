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

/* The transport's handle is another one once its module was loaded anew: the kernel does not know the old one then. */
static int create_one(struct sk_kcmd *c, struct sk_nl_msg *m, struct sk_err *err)
{
	SK_BUF struct sk_buf out = { 0 };
	struct sk_err why = { 0 };
	uint64_t handle = 0;

	sk_nl_put_create(&out, c->k->handle, CMD_SN, c->cmds_max, c->queue_depth);
	c->o->handle = c->k->handle;
	if (c->k->handle && call(c, &out, m, &why) == 0)
		return 0;
	if (c->k->handle && why.sys != EINVAL) {
		*err = why;
		return -1;
	}
	if (sk_sys_handle(c->k->t.places, SK_KERNEL_NAME, &handle, err) < 0)
		return -1;
	c->k->handle = c->o->handle = handle;
	sk_nl_put_create(&out, handle, CMD_SN, c->cmds_max, c->queue_depth);
	return call(c, &out, m, err);
}

static int create(struct sk_kcmd *c, struct sk_err *err)
{
	struct sk_nl_msg m;

	for (unsigned i = 0; i < CLASHES_MAX; i++) {
		if (create_one(c, &m, err) < 0)
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
	return 0;
}

/* Commands that go to the kernel in one message. */
struct batch {
	struct sk_buf all, one;
	unsigned n;
	int sys[SK_NL_CALLS];
};

static void add(struct batch *b)
{
	sk_nl_add(&b->all, &b->one);
	b->n++;
}

static void batch_end(struct batch *b)
{
	sk_buf_wipe(&b->one); /* parameters may be secrets */
	sk_buf_wipe(&b->all);
}

static int add_params(struct batch *b, const struct sk_kcmd *c, struct sk_err *err)
{
	for (unsigned i = 0; i < c->params->n; i++) {
		const struct sk_kparam *p = &c->params->p[i];
		int rc = p->host ? sk_nl_put_host_param(&b->one, c->o->handle, c->o->host, p->number, p->text, err)
				 : sk_nl_put_param(&b->one, c->o->handle, c->o->sid, 0, p->number, p->text, err);

		if (rc < 0)
			return -1;
		add(b);
	}
	return 0;
}

/* @sys: of the parameters' answers. What a kernel does not know (ENOSYS) it does without. */
static int check_params(const struct sk_kcmd *c, const int *sys, struct sk_err *err)
{
	for (unsigned i = 0; i < c->params->n; i++) {
		const struct sk_kparam *p = &c->params->p[i];

		if (sys[i] && sys[i] != ENOSYS)
			return sk_fail_sys(err, sys[i], "%sparameter %u", p->host ? "host " : "", p->number);
	}
	return 0;
}

/* One message, and one for the answers: a connection where there is none yet, the socket, what is known before the login. */
static int bind_and_set(struct batch *b, struct sk_kcmd *c, struct sk_err *err)
{
	unsigned bind = !c->o->conn;

	if (!c->o->conn) {
		sk_nl_put_conn(&b->one, SK_NL_CREATE_CONN, c->o->handle, c->o->sid, 0);
		add(b);
	}
	sk_nl_put_bind(&b->one, c->o->handle, c->o->sid, 0, (uint64_t)c->fd);
	add(b);
	if (add_params(b, c, err) < 0 || sk_nl_call_all(c->k->cmd_fd, &b->all, b->sys, err) < 0)
		return -1;
	if (bind && b->sys[0])
		return sk_fail_sys(err, b->sys[0], "create a connection in the kernel");
	c->o->conn = true;
	if (b->sys[bind])
		return sk_fail_sys(err, b->sys[bind], "give the connection to the kernel");
	return check_params(c, b->sys + bind + 1, err);
}

static int try_bind(struct sk_kcmd *c, struct sk_err *err)
{
	struct batch b = { .n = 0 };
	int rc = bind_and_set(&b, c, err);

	batch_end(&b);
	return rc;
}

int sk_kstep_attach(struct sk_kcmd *c, struct sk_err *err)
{
	struct sk_err why = { 0 };

	if (c->fresh && create(c, err) < 0)
		return sk_in(err, "create a session in the kernel");
	if (try_bind(c, &why) == 0)
		return 0;
	if (why.sys == ENOTCONN && c->o->conn) { /* the kernel cleaned up by itself and waits to be told that we know */
		if (stop(c, SK_NL_STOP_RECOVER, err) < 0)
			return -1;
		return try_bind(c, err);
	}
	*err = why;
	return -1;
}

static int set_params(const struct sk_kcmd *c, struct sk_err *err)
{
	struct batch b = { .n = 0 };
	int rc = add_params(&b, c, err);

	if (rc == 0 && b.n)
		rc = sk_nl_call_all(c->k->cmd_fd, &b.all, b.sys, err);
	if (rc == 0)
		rc = check_params(c, b.sys, err);
	batch_end(&b);
	return rc;
}

int sk_kstep_timers(struct sk_kcmd *c, struct sk_err *err)
{
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

/* As far as there is something, in one message. Where the kernel can, it takes the devices away in the background. */
static int try_destroy(struct batch *b, struct sk_kcmd *c, enum sk_nl_type how, struct sk_err *err)
{
	const struct sk_kobj *o = c->o;
	int of_conn = 0, of_session;

	if (o->conn) {
		sk_nl_put_stop(&b->one, o->handle, o->sid, 0, SK_NL_STOP_TERM);
		add(b);
		sk_nl_put_conn(&b->one, SK_NL_DESTROY_CONN, o->handle, o->sid, 0);
		add(b);
	}
	sk_nl_put_session(&b->one, how, o->handle, o->sid);
	add(b);
	if (sk_nl_call_all(c->k->cmd_fd, &b->all, b->sys, err) < 0)
		return -1;
	if (o->conn)
		of_conn = b->sys[1];
	of_session = b->sys[b->n - 1];
	if (of_conn && of_conn != EINVAL) /* EINVAL: no such connection */
		return sk_fail_sys(err, of_conn, "%s", sk_nl_type_name(SK_NL_DESTROY_CONN));
	c->o->conn = false;
	return of_session ? sk_fail_sys(err, of_session, "%s", sk_nl_type_name(how)) : 0;
}

static int destroy(struct sk_kcmd *c, enum sk_nl_type how, struct sk_err *err)
{
	struct batch b = { .n = 0 };
	int rc = try_destroy(&b, c, how, err);

	batch_end(&b);
	c->o->session &= rc < 0;
	return rc;
}

int sk_kstep_destroy(struct sk_kcmd *c, struct sk_err *err)
{
	struct sk_err why = { 0 };

	c->flag = false; /* gone when this returns */
	if (!c->o->session)
		return 0;
	if (!c->k->no_async) {
		if (destroy(c, SK_NL_DESTROY_SESSION_ASYNC, &why) == 0) {
			c->flag = true;
			return 0;
		}
		if (c->o->conn) { /* that is what could not be destroyed */
			*err = why;
			return -1;
		}
		c->k->no_async = why.sys == ENOSYS;
	}
	why = (struct sk_err){ 0 };
	if (destroy(c, SK_NL_DESTROY_SESSION, &why) < 0 && why.sys != EINVAL) { /* EINVAL: no such session */
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
