/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_ADM_H
#define SK_ISCSIADM_ADM_H

/** One run of iscsiadm: what the modes share. */

#include <json-c/json.h>
#include <stdio.h>

#include "iscsiadm/options.h"
#include "mgmt/client.h"
#include "mgmt/result.h"
#include "record/places.h"
#include "record/store.h"

#define SK_ADM_LOCK_MS 30000 /* as long as the incumbent waits for the database */

struct sk_adm {
	struct sk_adm_args args;
	struct sk_places places;
	struct sk_store *store;
	FILE *out, *err;
	struct json_object *doc; /* --json: the document; NULL without */

	uint32_t sid; /* of -r; 0 when not given */
	struct sk_mgmt_client *client;
	int daemon_code;     /* the result of an attempt to reach iscsid that failed; 0 before */
	bool hush_records;   /* odd lines in records are not told: the command does not show them */
	char conf_file[300]; /* the configuration in force, once it was asked for */
};

/** A rule of a mode's table: the first whose condition holds decides. */
struct sk_adm_rule {
	bool (*when)(const struct sk_adm *adm); /* NULL: always */
	int (*run)(struct sk_adm *adm);		/* returns the exit status */
};
int sk_adm_dispatch(struct sk_adm *adm, const struct sk_adm_rule *rules);

/* The modes */
int sk_mode_discovery(struct sk_adm *adm);
int sk_mode_discoverydb(struct sk_adm *adm);
int sk_mode_node(struct sk_adm *adm);
int sk_mode_session(struct sk_adm *adm);
int sk_mode_iface(struct sk_adm *adm);
int sk_mode_fw(struct sk_adm *adm);
int sk_mode_host(struct sk_adm *adm);
int sk_kill_iscsid(struct sk_adm *adm);

/** sk_adm_first - keep the first error: the exit status of a run over several objects */
static inline int sk_adm_first(int so_far, int code)
{
	return so_far ? so_far : code;
}

#endif
