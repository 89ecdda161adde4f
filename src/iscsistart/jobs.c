/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsistart/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "discover/firmware.h"
#include "record/store.h"

#define PING_INTERVAL "node.conn[0].timeo.noop_out_interval"
#define PING_TIMEOUT  "node.conn[0].timeo.noop_out_timeout"

struct setting {
	const char *key, *value;
};

/* Options that were not given leave the record as it is. */
static int set_all(struct sk_record *r, const struct setting *v, size_t n, struct sk_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].value && sk_record_set(r, v[i].key, v[i].value, err) < 0)
			return -1;
	return 0;
}

static int take_options(const struct sk_start_opts *o, struct sk_record *r, struct sk_err *err)
{
	char port[8], tag[8];
	const struct setting v[] = {
		{ "node.name", o->target },
		{ "node.conn[0].address", o->address },
		{ "node.conn[0].port", port },
		{ "node.tpgt", tag },
		{ "node.startup", "onboot" },
		{ "node.conn[0].startup", "onboot" },
		{ "iface.iscsi_ifacename", "default" },
		{ "iface.transport_name", "tcp" },
		{ "iface.initiatorname", o->initiator },
		{ "node.session.auth.username", o->username },
		{ "node.session.auth.password", o->password },
		{ "node.session.auth.username_in", o->username_in },
		{ "node.session.auth.password_in", o->password_in },
	};

	snprintf(port, sizeof(port), "%u", o->port);
	snprintf(tag, sizeof(tag), "%d", o->tpgt);
	return set_all(r, v, SK_ARRAY_LEN(v), err);
}

static struct sk_record *of_options(const struct sk_start_opts *o, const char *conf_file, struct sk_err *err)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, err);
	struct sk_err odd = { 0 };

	if (!r)
		return NULL;
	(void)sk_conf_apply(conf_file, r, NULL, NULL, &odd); /* none, or one that cannot be read, is an empty one */
	if (sk_firmware_patience(r, err) == 0 && take_options(o, r, err) == 0)
		return r;
	sk_record_free(r);
	return NULL;
}

static int apply_params(const struct sk_start_opts *o, struct sk_record *r)
{
	for (unsigned i = 0; i < o->n_params; i++) {
		const struct sk_start_param *p = &o->params[i];
		struct sk_err err = { 0 };

		if (sk_record_set(r, p->name, p->value, &err) == 0)
			continue;
		if (err.code != SK_ENOENT)
			fprintf(stderr, "iscsistart: %s\n", err.msg); /* never holds a secret */
		fprintf(stderr, "iscsistart: Unknown parameter %s.\n", p->name);
		return -1;
	}
	return 0;
}

static void note_key(struct sk_start_job *job)
{
	const struct sk_record *r = job->record;

	snprintf(job->target, sizeof(job->target), "%s", sk_record_get(r, "node.name"));
	snprintf(job->address, sizeof(job->address), "%s", sk_record_get(r, "node.conn[0].address"));
	job->port = (unsigned)sk_record_int(r, "node.conn[0].port");
	job->tpgt = (int)sk_record_int(r, "node.tpgt");
}

/* A table may leave the initiator's name out: then it is the machine's. */
static int need_initiator(struct sk_start_job *job, const struct sk_places *places, struct sk_err *err)
{
	struct sk_iname name;

	if (sk_record_get(job->record, "iface.initiatorname")[0])
		return 0;
	if (sk_initiator_name(places->name_file, &name, err) < 0)
		return sk_in(err, "no initiator name for %s", job->target);
	job->initiator = strdup(name.s);
	return job->initiator ? 0 : sk_fail(err, SK_ENOMEM, "no memory");
}

static int add(const struct sk_start_opts *o, const struct sk_places *places, struct sk_record *taken,
	       struct sk_start_jobs *jobs, struct sk_err *err)
{
	struct sk_start_job *job = &jobs->v[jobs->n++];

	job->record = taken;
	if (apply_params(o, taken) < 0)
		return -1;
	note_key(job);
	if (need_initiator(job, places, err) == 0)
		return 0;
	fprintf(stderr, "iscsistart: %s\n", err->msg);
	return -1;
}

/* The pings that a daemon would make: what the configuration and the options say. */
static void note_pings(const struct sk_start_opts *o, const char *conf_file, struct sk_start_jobs *jobs)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL);

	if (!r)
		return;
	(void)sk_conf_apply(conf_file, r, NULL, NULL, NULL);
	for (unsigned i = 0; i < o->n_params; i++)
		(void)sk_record_set(r, o->params[i].name, o->params[i].value, NULL);
	snprintf(jobs->ping_interval, sizeof(jobs->ping_interval), "%s", sk_record_get(r, PING_INTERVAL));
	snprintf(jobs->ping_timeout, sizeof(jobs->ping_timeout), "%s", sk_record_get(r, PING_TIMEOUT));
	sk_record_free(r);
}

int sk_start_jobs_make(const struct sk_start_opts *o, const struct sk_places *places, const struct sk_boot *boot,
		       struct sk_start_jobs *ret)
{
	size_t n = boot ? boot->n : 1;
	struct sk_err err = { 0 };

	*ret = (struct sk_start_jobs){ .v = calloc(n, sizeof(*ret->v)) };
	for (size_t i = 0; ret->v && i < n; i++) {
		struct sk_record *r = boot ? sk_firmware_login_record(&boot->v[i], places->conf_file, &err)
					   : of_options(o, places->conf_file, &err);

		if (!r)
			fprintf(stderr, "iscsistart: %s\n", err.msg);
		if (!r || add(o, places, r, ret, &err) < 0) {
			sk_start_jobs_free(ret);
			return -1;
		}
	}
	note_pings(o, places->conf_file, ret);
	return ret->v ? 0 : -1;
}

void sk_start_jobs_free(struct sk_start_jobs *jobs)
{
	for (unsigned i = 0; i < jobs->n; i++) {
		sk_record_free(jobs->v[i].record);
		free(jobs->v[i].initiator);
	}
	free(jobs->v);
	*jobs = (struct sk_start_jobs){ 0 };
}
