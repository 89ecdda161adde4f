/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/say.h"
#include "mgmt/message.h"

#define CONFIG_MS     1000 /* for the path of the configuration file */
#define START_WAIT_MS 3000 /* for a daemon that was just started to listen */
#define START_STEP_MS 50
#define SOCKET_NAME   "ISCSIADM_ABSTRACT_NAMESPACE"

static struct sk_mgmt_client *connect_once(struct sk_adm *adm, struct sk_err *err)
{
	SK_MEM char *path = NULL;
	struct sk_mgmt_client *c;

	if (asprintf(&path, "%s/iscsid.sock", adm->places.rundir) < 0) {
		path = NULL;
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	c = sk_mgmt_connect_path(path, err);
	if (c || adm->places.private_instance)
		return c;
	return sk_mgmt_connect_abstract(SOCKET_NAME, err);
}

static void nap(unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/** run iscsid.startup with the shell, as the incumbent does; false when the setting is missing */
static bool run_startup(struct sk_adm *adm)
{
	SK_MEM char *command = sk_conf_get(adm->places.conf_file, "iscsid.startup", NULL);
	char sh[] = "/bin/sh", dash_c[] = "-c";
	char *argv[] = { sh, dash_c, command, NULL };
	posix_spawnattr_t attr;
	sigset_t dflt;
	pid_t pid;
	int status, failed;

	if (!command || !*command)
		return false;
	sigemptyset(&dflt);
	sigaddset(&dflt, SIGPIPE); /* which we ignore */
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &dflt);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	failed = posix_spawn(&pid, sh, NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	while (!failed && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return true;
}

static bool nobody_there(const struct sk_err *err)
{
	return err->code == SK_ENOTCONN && (err->sys == ECONNREFUSED || err->sys == ENOENT || err->sys == 0);
}

static void start_and_connect(struct sk_adm *adm, struct sk_err *err)
{
	if (!run_startup(adm)) {
		sk_warn(adm, "iscsid is not running. Could not start it up automatically using the startup command "
			     "in the "
			     "iscsid.conf iscsid.startup setting. Please check that the file exists or that your "
			     "init scripts "
			     "have started iscsid.");
		return;
	}
	for (unsigned waited = 0; !adm->client && waited <= START_WAIT_MS; waited += START_STEP_MS) {
		if (waited)
			nap(START_STEP_MS);
		adm->client = connect_once(adm, err);
		if (!adm->client && !nobody_there(err))
			return;
	}
}

int sk_daemon_reach(struct sk_adm *adm, enum sk_daemon_start start)
{
	struct sk_err err = { 0 };

	if (adm->client)
		return 0;
	if (start == SK_DAEMON_START && adm->daemon_code)
		return adm->daemon_code;
	adm->client = connect_once(adm, &err);
	if (!adm->client && start == SK_DAEMON_IF_RUNNING)
		return SK_RES_ISCSID_NOTCONN;
	if (!adm->client && nobody_there(&err))
		start_and_connect(adm, &err);
	if (adm->client)
		return 0;
	if (nobody_there(&err)) {
		sk_warn(adm, "can not connect to iSCSI daemon (%d)!", ECONNREFUSED);
		adm->daemon_code = SK_RES_ISCSID_NOTCONN;
	} else {
		sk_warn(adm, "can not connect to iSCSI daemon: %s", err.msg);
		adm->daemon_code = err.code == SK_EACCES ? SK_RES_ACCESS : SK_RES_ISCSID_NOTCONN;
	}
	return adm->daemon_code;
}

int sk_daemon_send(struct sk_adm *adm, const char *method, struct json_object *taken_params)
{
	struct sk_err err = { 0 };

	return sk_mgmt_send(adm->client, method, taken_params, &err);
}

/** the daemon's refusal as an error of ours */
static void take_refusal(const struct sk_mgmt_answer *a, struct sk_err *err)
{
	sk_fail(err, SK_EIO, "%s", a->text);
	err->sys = (int)sk_msg_int(a->error, "errno", 0);
	err->login = (uint16_t)sk_msg_int(a->error, "login", 0);
}

int sk_daemon_wait(struct sk_adm *adm, int id, int timeout_ms, struct sk_mgmt_answer *ret, struct sk_err *err)
{
	*ret = (struct sk_mgmt_answer){ 0 };
	if (id < 0) {
		sk_fail(err, SK_ENOTCONN, "the request could not be sent");
		return SK_RES_ISCSID_COMM_ERR;
	}
	if (sk_mgmt_wait(adm->client, id, timeout_ms, NULL, NULL, ret, err) < 0) {
		*ret = (struct sk_mgmt_answer){ 0 };
		return err->code == SK_ETIME ? SK_RES_REQ_TIMEDOUT : SK_RES_ISCSID_COMM_ERR;
	}
	if (ret->code)
		take_refusal(ret, err);
	return ret->code;
}

int sk_daemon_call(struct sk_adm *adm, const char *method, struct json_object *taken_params, int timeout_ms,
		   struct sk_mgmt_answer *ret, struct sk_err *err)
{
	return sk_daemon_wait(adm, sk_daemon_send(adm, method, taken_params), timeout_ms, ret, err);
}

const char *sk_daemon_conf(struct sk_adm *adm)
{
	struct sk_mgmt_answer a = { 0 };
	struct sk_err err = { 0 };
	const char *file = NULL;

	if (adm->conf_file[0])
		return adm->conf_file;
	if (sk_daemon_reach(adm, SK_DAEMON_IF_RUNNING) == 0 &&
	    sk_daemon_call(adm, "config", NULL, CONFIG_MS, &a, &err) == 0)
		file = sk_msg_str(a.result, "conf_file");
	snprintf(adm->conf_file, sizeof(adm->conf_file), "%s", file ? file : adm->places.conf_file);
	sk_mgmt_answer_free(&a);
	return adm->conf_file;
}
