/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/mem.h"
#include "base/num.h"
#include "transport/user/inner.h"

/** A logged-in connection goes to the session's process, which is started for the first one. */

static int start_process(struct sk_xsess *x, struct sk_err *err)
{
	const struct sk_places *p = x->u->t.places;
	const char *argv[16];
	char prog[300], sid[16], busy[16];
	unsigned n = 0;
	pid_t pid;

	if ((size_t)snprintf(prog, sizeof(prog), "%s/iscsi-session", p->libexecdir) >= sizeof(prog))
		return sk_fail(err, SK_EINVAL, "the path of iscsi-session is too long");
	if (!x->sid && sk_udir_next_sid(p, &x->sid, err) < 0)
		return -1;
	if (sk_udir_create(p, x->sid, x->node, x->initiator, x->tag, err) < 0)
		return sk_in(err, "session %u", x->sid);
	snprintf(sid, sizeof(sid), "%u", x->sid);
	argv[n++] = prog;
	argv[n++] = "--sid";
	argv[n++] = sid;
	argv[n++] = "--rundir";
	argv[n++] = p->rundir;
	argv[n++] = "--devdir";
	argv[n++] = p->devdir;
	if (x->u->run_as[0]) {
		argv[n++] = "--user";
		argv[n++] = x->u->run_as;
	}
	if (x->u->debug[0]) {
		argv[n++] = "--debug";
		argv[n++] = x->u->debug;
	}
	if (x->u->busy_poll_us) {
		snprintf(busy, sizeof(busy), "%u", x->u->busy_poll_us);
		argv[n++] = "--busy-poll";
		argv[n++] = busy;
	}
	argv[n] = NULL;
	if (sk_loop_spawn(x->u->t.loop, argv, NULL, 0, true, NULL, NULL, &pid, err) < 0)
		return -1;
	sk_fd_close(&x->process);
	x->process = pidfd_open(pid, 0);	/* the loop has not reaped it: this is still the same one */
	return 0;
}

/* The process would not have the session, or could not be started: nothing of it shall stay. */
static void give_back(struct sk_xsess *x)
{
	sk_ctl_free(x->ctl);	/* a process nobody attached ends by itself */
	x->ctl = NULL;
	sk_user_stop_process(x);
	if (x->sid)
		sk_user_sweep(x->u, &x->sid, 1);
	x->sid = 0;
}

static void attach_answer(void *ctx, struct json_object *result, const struct sk_err *err)
{
	struct sk_xsess *x = ctx;
	bool first = !x->attached;

	(void)result;
	if (err) {
		struct sk_err why = *err;

		why.code = SK_ENOTCONN;		/* tells a refusing data path from a lost connection */
		if (first) {
			x->gone = true;		/* ctl_down has nothing to add */
			give_back(x);
			x->gone = false;
		}
		x->ev->down(x->ctx, &why);
		return;
	}
	x->attached = true;
	sk_fd_close(&x->process);
	x->ev->health(x->ctx, SK_HEALTH_LOGGED_IN);
	if (first && x->scan_by_hand && !x->gone)
		x->ev->ready(x->ctx, NULL);
}

int sk_user_handoff(struct sk_xsess *x, const struct sk_params *params, const struct sk_portal *current,
		    struct sk_err *err)
{
	struct json_object *p;
	SK_FD int fd = -1;
	int got;

	if (!x->wire)
		return sk_fail(err, SK_ECONN, "no connection to hand over");
	got = sk_wire_detach(x->wire, &fd, err);
	x->wire = NULL;
	if (got < 0)
		return -1;
	if (!x->attached && (start_process(x, err) < 0 || sk_user_connect_ctl(x, SK_USER_START_MS, err) < 0))
		goto undo;
	if (!x->ctl)
		return sk_fail(err, SK_ENOTCONN, "the session's process is gone");
	p = x->attached ? sk_user_reattach_params(params, current, fd) : sk_user_attach_params(x, params, current, fd);
	if (!p) {
		sk_fail(err, SK_ENOMEM, "no memory");
		goto undo;
	}
	got = sk_ctl_call(x->ctl, x->attached ? "reattach" : "attach", p, sk_give_fd(&fd),
			  x->attached ? SK_USER_ANSWER_MS : SK_USER_START_MS + SK_USER_ANSWER_MS, attach_answer, x, err);
	if (got == 0)
		return 0;
undo:
	if (!x->attached)
		give_back(x);
	return sk_in(err, "start the data path");
}
