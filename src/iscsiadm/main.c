/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "iscsiadm/adm.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/say.h"
#include "iscsiadm/values.h"

/* --- the process ------------------------------------------------------------------------------------- */

static void on_sigint(int signum)
{
	static const char text[] = "iscsiadm: caught SIGINT, exiting...\n";

	(void)signum;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(1);
}

static void set_up_process(void)
{
	struct sigaction sa = { .sa_handler = on_sigint };
	struct rlimit files;

	umask(0077);
	sigaction(SIGINT, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 16384) {
		files.rlim_cur = 16384;
		files.rlim_max = files.rlim_max < 16384 ? 16384 : files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void log_sink(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	struct sk_adm *adm = ctx;

	if (level != SK_LOG_NOTICE && !(room == SK_ROOM_RECORD && adm->hush_records && adm->args.debug <= 0))
		sk_warn(adm, "%s", text);
}

/** options for private instances are environment for us and for what we start */
static int set_places(struct sk_adm *adm)
{
	const struct {
		const char *name, *value;
	} set[] = {
		{ "SISKIN_HOMEDIR", adm->args.homedir },
		{ "SISKIN_DBROOT", adm->args.dbroot },
		{ "SISKIN_RUNDIR", adm->args.rundir },
	};
	struct sk_err err = { 0 };

	for (size_t i = 0; i < SK_ARRAY_LEN(set); i++)
		if (set[i].value && setenv(set[i].name, set[i].value, 1) < 0)
			return SK_RES_NOMEM;
	if (sk_places_init(&adm->places, &err) == 0)
		return 0;
	sk_warn(adm, "%s", err.msg);
	sk_doc_error(adm, SK_RES_INVAL, &err, NULL);
	return SK_RES_INVAL;
}

/* --- -r, -k, the modes ------------------------------------------------------------------------------- */

static int take_sid(struct sk_adm *adm)
{
	struct sk_err err = { 0 };
	char *second;
	int code = 0;

	if (!adm->args.sid_text || sk_adm_sid(&adm->places, adm->args.sid_text, &adm->sid, &code, &err) == 0)
		return 0;
	second = strchr(err.msg, '\n');
	if (second)
		*second++ = '\0';
	sk_warn(adm, "%s", err.msg);
	if (second)
		sk_warn(adm, "%s", second);
	sk_doc_error(adm, code, &err, NULL);
	return code;
}

int sk_kill_iscsid(struct sk_adm *adm)
{
	struct sk_mgmt_answer a = { 0 };
	struct sk_err err = { 0 };
	int code;

	if (adm->args.kill_priority > 0) {
		sk_warn(adm, "Invalid iscsid priority %d. Priority must be 0.", adm->args.kill_priority);
		return 0;
	}
	code = sk_daemon_reach(adm, SK_DAEMON_IF_RUNNING);
	if (code == SK_RES_ISCSID_NOTCONN)
		sk_warn(adm, "can not connect to iSCSI daemon (%d)!", ECONNREFUSED);
	if (!code)
		code = sk_daemon_call(adm, "shutdown", NULL, 1000, &a, &err);
	sk_mgmt_answer_free(&a);
	if (code) {
		sk_warn_reported(adm, code);
		sk_warn(adm, "Could not stop iscsid. Trying sending iscsid SIGTERM or SIGKILL signals manually");
		sk_doc_error(adm, code, &err, NULL);
	}
	return 0;
}

static int (*const modes[SK_N_MODES])(struct sk_adm *adm) = {
	[SK_MODE_DISCOVERY] = sk_mode_discovery, [SK_MODE_DISCOVERYDB] = sk_mode_discoverydb,
	[SK_MODE_NODE] = sk_mode_node,		 [SK_MODE_SESSION] = sk_mode_session,
	[SK_MODE_IFACE] = sk_mode_iface,	 [SK_MODE_FW] = sk_mode_fw,
	[SK_MODE_HOST] = sk_mode_host,
};

/** programs read any line on stderr of a change as its failure, so odd lines in records are told when they are
 * shown */
static bool only_shows(const struct sk_adm_args *a)
{
	return !(a->ops & ~(unsigned)SK_OP_SHOW) && !a->login && !a->logout && !a->login_class &&
	       !a->logout_class && !a->rescan && !a->stats;
}

/** what runs is listed and ended without the database: by users who may not read it, and when it cannot be made */
static bool needs_store(const struct sk_adm *adm)
{
	const struct sk_adm_args *a = &adm->args;

	if (a->mode != SK_MODE_SESSION)
		return a->mode != SK_MODE_HOST;
	return adm->sid && !a->explain && (a->ops || (a->level < 1 && !a->logout && !a->rescan && !a->stats));
}

static int run_mode(struct sk_adm *adm)
{
	struct sk_err err = { 0 };
	int code;

	if (adm->args.live && adm->args.ops != SK_OP_UPDATE) {
		sk_warn(adm, "--live goes with -o update");
		sk_doc_error(adm, SK_RES_INVAL, NULL, NULL);
		return SK_RES_INVAL;
	}
	adm->hush_records = !only_shows(&adm->args);
	adm->store = sk_store_open(&adm->places, &err);
	if (!adm->store && needs_store(adm)) {
		sk_warn(adm, "Could not make %s %d", adm->places.dbroot, err.sys);
		sk_warn(adm, "exiting due to idbm configuration error");
		sk_doc_error(adm, SK_RES_IDBM, &err, NULL);
		return SK_RES_IDBM;
	}
	if (sk_adm_secrets(&adm->args, &err) < 0) {
		sk_warn(adm, "%s", err.msg);
		sk_doc_error(adm, SK_RES_INVAL, &err, NULL);
		return SK_RES_INVAL;
	}
	code = modes[adm->args.mode](adm);
	sk_store_free(adm->store);
	adm->store = NULL;
	return code;
}

static int run(struct sk_adm *adm)
{
	int code = set_places(adm);

	if (!code)
		code = take_sid(adm);
	if (code)
		return code;
	if (adm->args.kill)
		return sk_kill_iscsid(adm);
	if (adm->args.mode != SK_MODE_NONE)
		return run_mode(adm);
	sk_try_help(adm);
	return SK_RES_INVAL;
}

/* Also behind the argument that was refused, where parsing ended. */
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-J") == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static struct sk_adm adm;
	struct sk_adm_verdict v;
	int code;

	set_up_process();
	adm.out = stdout;
	adm.err = stderr;
	sk_adm_parse(argc, argv, &adm.args, &v);
	fputs(sk_buf_cstr(&v.err), stderr);
	fputs(sk_buf_cstr(&v.out), stdout);
	code = v.code;
	if (!v.stop) {
		sk_log_to(log_sink, &adm, adm.args.debug > 0 ? SK_LOG_DEBUG : SK_LOG_WARNING, SK_ROOM_ALL);
		sk_doc_open(&adm);
		code = run(&adm);
		sk_mgmt_client_free(adm.client);
		sk_doc_close(&adm, code);
	} else if (code && wants_json(argc, argv)) {
		sk_doc_refused(&adm, sk_buf_cstr(&v.err), code);
	}
	sk_adm_verdict_free(&v);
	sk_adm_args_free(&adm.args);
	fflush(stdout);
	return code;
}
