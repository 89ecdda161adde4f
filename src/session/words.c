/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session/machine.h"

/** The machine's states and events in words: ours for the log, the incumbent's for people (spec: cli.md 6.4). */

const char *sk_sm_state_name(enum sk_sm_state st)
{
	static const char *const names[SK_ST_COUNT] = { "NEW",	"RESOLVE", "CONNECT", "LOGIN",	"ATTACH",
							"SCAN", "UP",	   "BACKOFF", "LOGOUT", "GONE" };

	return st < SK_ST_COUNT ? names[st] : "?";
}

const char *sk_sm_event_name(enum sk_sm_kind k)
{
	static const char *const names[SK_SM_KINDS] = {
		"start",      "adopt up",     "adopt down", "resolved",	      "resolve failed", "connected",
		"login done", "redirect",     "refused",    "handoff failed", "attached",	"ready",
		"down",	      "async logout", "async drop", "logout",	      "ended",		"end refused",
		"vanished",   "kick",	      "timeout",
	};

	return k < SK_SM_KINDS ? names[k] : "?";
}

const char *sk_sm_connection_word(const struct sk_sm *m)
{
	static const char *const words[SK_ST_COUNT] = { "FREE",	     "TRANSPORT WAIT", "TRANSPORT WAIT",
							"IN LOGIN",  "IN LOGIN",       "LOGGED IN",
							"LOGGED IN", "TRANSPORT WAIT", "IN LOGOUT",
							"FREE" };

	return words[m->st];
}

const char *sk_sm_internal_word(const struct sk_sm *m)
{
	bool trying = m->st == SK_ST_BACKOFF || (m->st >= SK_ST_RESOLVE && m->st <= SK_ST_ATTACH);

	if (m->st == SK_ST_LOGOUT)
		return "CLEANUP";
	if (m->redirected && trying)
		return "REDIRECT";
	return m->established && trying ? "REOPEN" : "NO CHANGE";
}
