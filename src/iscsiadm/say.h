/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_SAY_H
#define SK_ISCSIADM_SAY_H

/**
 * What iscsiadm says. stdout carries results: text, or with --json one document at the end. stderr carries
 * everything else, one line a message, with the prefix "iscsiadm: ".
 */

#include "iscsiadm/adm.h"

/** sk_say - result text, as it is; nothing with --json */
void sk_say(struct sk_adm *adm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sk_say_buf(struct sk_adm *adm, const struct sk_buf *text);
/** sk_warn - one line on stderr, "iscsiadm: …" */
void sk_warn(struct sk_adm *adm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** sk_try_help - the line that points at --help */
void sk_try_help(struct sk_adm *adm);
/** sk_lib_say - a line in the form of the incumbent's record library: "iSCSI ERROR: …"; level 'E' or 'W' */
void sk_lib_say(struct sk_adm *adm, char level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/** sk_skip_told - a callback for the store's sk_store_skip; ctx is the struct sk_adm */
void sk_skip_told(void *ctx, const char *path, const char *why);
/** sk_warn_reported - "initiator reported error (N - text)" */
void sk_warn_reported(struct sk_adm *adm, int code);
/** sk_result_words - the incumbent's words for a code, "invalid error code N" for one it does not know */
const char *sk_result_words(int code, char *buf, size_t size);

/* --- the JSON document: every function does nothing without --json ----------------------------------- */

void sk_doc_open(struct sk_adm *adm);
/** sk_doc_action - what was done: "list", "show", "login" … */
void sk_doc_action(struct sk_adm *adm, const char *action);
/** sk_doc_add - append an object to the array @name (made when missing); the object is taken */
void sk_doc_add(struct sk_adm *adm, const char *name, struct json_object *taken);
/** sk_doc_list - make sure the array @name exists, so that an empty list shows as [] */
void sk_doc_list(struct sk_adm *adm, const char *name);

/** What an error or a result is about; absent parts are NULL or 0 */
struct sk_about {
	const char *target, *host, *iface;
	int port;
	uint32_t sid;
};
struct json_object *sk_doc_about(const struct sk_about *about);
/** sk_doc_error - append to "errors"; @err and @about may be NULL. That nothing was found is no error */
void sk_doc_error(struct sk_adm *adm, int code, const struct sk_err *err, const struct sk_about *about);
/** sk_doc_result - append to "results" how it went with one thing: code, name, and of the daemon's @result (may be NULL)
 * the members @copied names (ended by NULL); a code other than 0 goes to "errors" too */
void sk_doc_result(struct sk_adm *adm, const struct sk_about *about, int code, struct json_object *result,
		   const char *const *copied, const struct sk_err *err);
/** sk_doc_refused - the whole document of a command line that was refused with these lines, which stderr has already */
void sk_doc_refused(struct sk_adm *adm, const char *lines, int code);
/** sk_doc_close - write the document with the exit status; a failure that "errors" lacks is told by the first message */
void sk_doc_close(struct sk_adm *adm, int code);

/** small helpers for objects */
void sk_jput_str(struct json_object *o, const char *key, const char *value);
void sk_jput_int(struct json_object *o, const char *key, int64_t value);
void sk_jput_bool(struct json_object *o, const char *key, bool value);
/** sk_jput_known - as sk_jput_int, null when value is -1 */
void sk_jput_known(struct json_object *o, const char *key, int64_t value);
/** sk_jrecord - a record as an object of strings; a set secret is null unless @secrets */
struct json_object *sk_jrecord(const struct sk_record *r, bool secrets);

#endif
