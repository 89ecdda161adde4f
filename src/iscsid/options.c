/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsid/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "config.h"

static const char usage[] =
	"Usage: iscsid [OPTION]\n\n"
	"iSCSI initiator daemon.\n\n"
	"  -c, --config=FILE         configuration file (" SK_HOMEDIR "/iscsid.conf)\n"
	"  -i, --initiatorname=FILE  file that holds the initiator name (" SK_HOMEDIR "/initiatorname.iscsi)\n"
	"  -f, --foreground          stay in the foreground, log to the terminal\n"
	"  -d, --debug=LEVEL|ROOMS   debug log: a number, or rooms: loop,wire,sys,record,transport,datapath,session,\n"
	"                            discover,mgmt,door,all\n"
	"  -u, --uid=UID             run as this user once the sockets are open\n"
	"  -g, --gid=GID             run as this group once the sockets are open\n"
	"  -n, --no-pid-file         do not write a pid file\n"
	"  -p, --pid=FILE            pid file (/run/iscsid.pid)\n"
	"  -h, --help                this text\n"
	"  -v, --version             the version\n";

static int try_help(const char *error)
{
	if (error)
		fprintf(stderr, "error: %s\n", error);
	fprintf(stderr, "Try `iscsid --help' for more information.\n");
	return 1;
}

static bool number(const char *text, uint64_t max, uint64_t *ret)
{
	return sk_num_u64(text, strlen(text), 0, max, ret);
}

static bool set_debug(struct sk_iscsid_opts *o, const char *text)
{
	uint64_t level;

	o->rooms = number(text, 1000, &level) ? (level ? (unsigned)SK_ROOM_ALL : 0) : sk_log_rooms(text);
	if (!o->rooms && !(number(text, 1000, &level) && !level))
		return false;
	o->debug = o->rooms != 0;
	o->rooms_text = !o->debug ? NULL : number(text, 1000, &level) ? "all" : text;
	return true;
}

static bool set_ids(struct sk_iscsid_opts *o, int c, const char *text)
{
	uint64_t v;

	if (!number(text, 0xfffffffe, &v))
		return false;
	if (c == 'u') {
		o->uid = (uid_t)v;
		o->set_uid = true;
	} else {
		o->gid = (gid_t)v;
		o->set_gid = true;
	}
	return true;
}

/* Returns -1 to go on. */
static int one(struct sk_iscsid_opts *o, int c, const char *arg)
{
	switch (c) {
	case 'c':
		o->conf = arg;
		return -1;
	case 'i':
		o->names = arg;
		return -1;
	case 'p':
		o->pid_file = arg;
		return -1;
	case 'f':
		o->foreground = true;
		return -1;
	case 'n':
		o->no_pid_file = true;
		return -1;
	case 'd':
		return set_debug(o, arg) ? -1 : try_help("--debug takes a number or a list of rooms");
	case 'u':
	case 'g':
		return set_ids(o, c, arg) ? -1 : try_help("--uid and --gid take a number");
	case 'h':
		fputs(usage, stdout);
		return 0;
	case 'v':
		printf("iscsid version %s\n", SK_VERSION);
		return 0;
	default:
		return try_help(NULL);
	}
}

int sk_iscsid_parse(int argc, char *argv[], struct sk_iscsid_opts *ret)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },  { "initiatorname", required_argument, NULL, 'i' },
		{ "foreground", no_argument, NULL, 'f' },    { "debug", required_argument, NULL, 'd' },
		{ "uid", required_argument, NULL, 'u' },     { "gid", required_argument, NULL, 'g' },
		{ "no-pid-file", no_argument, NULL, 'n' },   { "pid", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },	     { "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c, status = -1;

	*ret = (struct sk_iscsid_opts){ 0 };
	while (status < 0 && (c = getopt_long(argc, argv, "c:i:fd:nu:g:p:hv", longs, NULL)) >= 0)
		status = one(ret, c, optarg);
	if (status >= 0)
		return status;
	if (ret->pid_file && ret->no_pid_file)
		return try_help("Conflicting PID-file options requested");
	if (ret->pid_file && ret->foreground)
		return try_help("PID file specified but unused in foreground mode");
	return -1;
}
