/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsistart/run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/rng.h"
#include "proto/portal.h"
#include "record/store.h"
#include "session/session.h"
#include "sys/machine.h"
#include "sys/session.h"
#include "transport/kernel/keep.h"
#include "transport/kernel/kernel.h"
#include "transport/user/user.h"
#include "wire/changes.h"

#define GRACE_MS                                                                                                   \
	15000 /* once one target is there: for the others. The machine can boot; the rest is iscsid's to try */

struct sk_start_run {
	const struct sk_places *places;
	struct sk_start_jobs *jobs;
	struct sk_loop *loop;
	struct sk_rng rng;
	struct sk_transport *user, *kernel;
	struct sk_sessions *sessions;
	struct sk_timer *grace;
	struct sk_net_changes *changes;
	unsigned pending, up, failed;
	bool fallback;
};

/* --- results ------------------------------------------------------------------------------------------------- */

static void conclude(struct sk_start_job *job, enum sk_result code, const struct sk_err *why)
{
	struct sk_start_run *run = job->run;
	const char *text = sk_result_text((int)code);

	job->over = true;
	job->code = code;
	run->pending--;
	if (code) {
		run->failed++;
		fprintf(stderr, "iscsistart: initiator reported error (%d - %s)\n", (int)code, text ? text : "");
		if (why && why->msg[0])
			fprintf(stderr, "iscsistart: %s %s:%u: %s\n", job->target, job->address, job->port,
				why->msg);
	} else if (!run->up++ && run->pending) {
		sk_timer_at(run->grace, sk_loop_now(run->loop) + GRACE_MS);
	}
	if (!run->pending)
		sk_loop_stop(run->loop);
}

static void done(void *ctx, const struct sk_outcome *o)
{
	struct sk_start_job *job = ctx;
	struct sk_session_info info;

	if (job->over)
		return; /* not waited for any longer */
	if (!o->code && o->s) {
		sk_session_info(o->s, &info);
		job->sid = strcmp(info.path, "kernel") == 0 ? info.sid : 0;
		if (o->scan)
			sk_warning(SK_ROOM_DOOR, "%s: logged in, but the scan failed: %s", job->target,
				   o->scan->msg);
	}
	conclude(job, o->code, NULL); /* the log has the reason */
}

struct look {
	const struct sk_start_job *job;
	bool up;
};

static bool is_up(void *ctx, const struct sk_session_info *info)
{
	struct look *l = ctx;

	l->up = strcmp(info->connection, "LOGGED IN") == 0 && info->port == l->job->port &&
		strcmp(info->target, l->job->target) == 0 && strcmp(info->host, l->job->address) == 0;
	return !l->up;
}

/* Logged in, its disks being looked for: that comes to an end by itself. */
static bool scanning(const struct sk_start_job *job)
{
	struct look l = { .job = job };

	(void)sk_sessions_list(job->run->sessions, is_up, &l);
	return l.up;
}

/* The others have had their time. */
static void on_grace(void *ctx)
{
	struct sk_start_run *run = ctx;
	struct sk_err err = { 0 };

	sk_fail(&err, SK_ETIME, "not there %d s after the first target; not waited for any longer",
		GRACE_MS / 1000);
	for (unsigned i = 0; i < run->jobs->n; i++)
		if (!run->jobs->v[i].over && !scanning(&run->jobs->v[i]))
			conclude(&run->jobs->v[i], SK_RES_TRANS_TIMEOUT, &err);
}

static void on_signal(void *ctx, int signum)
{
	struct sk_start_run *run = ctx;
	struct sk_err err = { 0 };

	sk_fail(&err, SK_ETIME, "given up by signal %d", signum);
	for (unsigned i = 0; i < run->jobs->n; i++)
		if (!run->jobs->v[i].over)
			conclude(&run->jobs->v[i], SK_RES_TRANS_TIMEOUT, &err);
}

/* A link or an address came, as they do at boot: nobody waits for the end of a backoff. */
static void on_network(void *ctx)
{
	const struct sk_start_run *run = ctx;

	sk_sessions_kick(run->sessions);
}

/* --- logins -------------------------------------------------------------------------------------------------- */

struct wanted {
	const struct sk_start_job *job;
	const char *iface;
	bool there;
};

static bool same(void *ctx, const struct sk_sys_session *s)
{
	struct wanted *w = ctx;

	w->there = strcmp(s->target, w->job->target) == 0 && s->persistent_port == (int32_t)w->job->port &&
		   sk_portal_host_eq(s->persistent_addr, w->job->address) &&
		   strcmp(s->iface[0] ? s->iface : "default", w->iface) == 0;
	return !w->there;
}

static bool exists(const struct sk_start_job *job)
{
	const char *iface = sk_record_get(job->record, "iface.iscsi_ifacename");
	struct wanted w = { .job = job, .iface = iface[0] ? iface : "default" };

	(void)sk_sys_sessions(job->run->places, SK_SYS_FLAT, same, &w);
	return w.there;
}

static void begin(struct sk_start_job *job, struct sk_transport *t)
{
	struct sk_ask_login ask = {
		.transport = t, .initiator = job->initiator ? job->initiator : "", .done = done, .ctx = job
	};
	struct sk_err err = { 0 };

	job->begun = true;
	if (exists(job))
		conclude(job, SK_RES_SESS_EXISTS, NULL);
	else if (sk_sessions_login(job->run->sessions, sk_give(job->record), &ask, &err) < 0)
		conclude(job, sk_result_of(&err), &err);
}

/* The kernel carries "tcp" when it can, else the user transport stands in, unless the configuration forbids that.
 */
static void begin_tcp(struct sk_start_run *run, const struct sk_err *why)
{
	if (why)
		sk_notice(SK_ROOM_DOOR, "%s: %s", why->msg,
			  run->fallback ? "the user transport carries the sessions" : "no session");
	for (unsigned i = 0; i < run->jobs->n; i++) {
		struct sk_start_job *job = &run->jobs->v[i];

		if (job->begun || job->over)
			continue;
		if (why && !run->fallback)
			conclude(job, SK_RES_TRANS_NOT_FOUND, why);
		else
			begin(job, why ? run->user : run->kernel);
	}
}

static void on_prepared(void *ctx, const struct sk_err *why)
{
	begin_tcp(ctx, why);
}

static void begin_all(struct sk_start_run *run)
{
	struct sk_err err = { 0 };
	bool tcp = false;

	for (unsigned i = 0; i < run->jobs->n; i++) {
		struct sk_start_job *job = &run->jobs->v[i];
		const char *t = sk_record_get(job->record, "iface.transport_name");

		job->run = run;
		run->pending++;
		printf("iscsistart: Logging into %s %s:%u,%d\n", job->target, job->address, job->port, job->tpgt);
		if (strcmp(t, "tcp") == 0)
			tcp = true;
		else
			job->begun = true;
	}
	fflush(stdout);
	for (unsigned i = 0; i < run->jobs->n; i++) {
		struct sk_start_job *job = &run->jobs->v[i];
		const char *t = job->begun ? sk_record_get(job->record, "iface.transport_name") : NULL;

		if (t && strcmp(t, "user") == 0)
			begin(job, run->user);
		else if (t && sk_fail(&err, SK_ENOTSUP, "transport %.32s is not available", t) < 0)
			conclude(job, SK_RES_TRANS_NOT_FOUND, &err);
	}
	if (tcp && sk_kernel_prepare(run->kernel, on_prepared, run, &err) < 0)
		begin_tcp(run, &err);
}

/* --- the process --------------------------------------------------------------------------------------------- */

static bool fallback_wanted(const struct sk_places *places)
{
	SK_MEM char *word = sk_conf_get(places->conf_file, "iscsid.transport.fallback", NULL);

	return !word || strcmp(word, "user") == 0;
}

static int build(struct sk_start_run *run, struct sk_err *err)
{
	struct sk_sessions_cfg cfg = { 0 };
	struct sk_err why = { 0 };

	run->rng = sk_rng_system();
	run->fallback = fallback_wanted(run->places);
	run->loop = sk_loop_new(err);
	if (!run->loop || sk_loop_signal(run->loop, SIGTERM, on_signal, run, err) < 0)
		return -1;
	run->grace = sk_timer_new(run->loop, on_grace, run, err);
	run->user = sk_user_transport_new(run->loop, run->places, &(struct sk_user_cfg){ 0 }, err);
	run->kernel = sk_kernel_transport_new(run->loop, run->places, &(struct sk_kernel_cfg){ 0 }, err);
	if (!run->grace || !run->user || !run->kernel)
		return -1;
	cfg = (struct sk_sessions_cfg){ .loop = run->loop, .transport = run->user, .rng = &run->rng };
	sk_sys_machine(cfg.machine, sizeof(cfg.machine));
	if (gethostname(cfg.alias, sizeof(cfg.alias) - 1) < 0)
		cfg.alias[0] = '\0';
	run->sessions = sk_sessions_new(&cfg, err);
	if (!run->sessions)
		return -1;
	run->changes = sk_net_changes_new(run->loop, on_network, run, &why);
	if (!run->changes)
		sk_warning(SK_ROOM_DOOR, "%s: attempts are made by their timers only", why.msg);
	return 0;
}

/* Sessions that are up go on; a login that is not to be is taken away. */
static void take_down(struct sk_start_run *run)
{
	sk_net_changes_free(run->changes);
	sk_sessions_free(run->sessions);
	if (run->kernel)
		sk_kernel_transport_free(run->kernel);
	if (run->user)
		sk_user_transport_free(run->user);
	sk_timer_free(run->grace);
	sk_loop_free(run->loop);
}

/* The session itself has no pings: until an iscsid runs, a lost connection would find nobody to bring it back. Its
 * record, which that iscsid will log in with, gets the pings the configuration wants. */
static void leave_pings(const struct sk_start_run *run, uint32_t sid)
{
	const struct sk_start_jobs *jobs = run->jobs;
	struct sk_keep keep;
	struct sk_record *r = sk_keep_get(run->places, sid, &keep, NULL);

	if (r && keep.up &&
	    sk_record_set(r, "node.conn[0].timeo.noop_out_interval", jobs->ping_interval, NULL) == 0 &&
	    sk_record_set(r, "node.conn[0].timeo.noop_out_timeout", jobs->ping_timeout, NULL) == 0)
		(void)sk_keep_replace(run->places, sid, &keep, r, NULL);
	sk_record_free(r);
}

int sk_start_run(const struct sk_places *places, struct sk_start_jobs *jobs)
{
	struct sk_start_run run = { .places = places, .jobs = jobs };
	struct sk_err err = { 0 };

	if (build(&run, &err) < 0) {
		fprintf(stderr, "iscsistart: %s\n", err.msg);
		take_down(&run);
		return 1;
	}
	begin_all(&run);
	if (run.pending)
		(void)sk_loop_run(run.loop);
	take_down(&run);
	for (unsigned i = 0; i < jobs->n; i++)
		if (jobs->v[i].over && jobs->v[i].sid)
			leave_pings(&run, jobs->v[i].sid);
	return run.failed ? 1 : 0;
}
