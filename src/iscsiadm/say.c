/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/num.h"
#include "iscsiadm/say.h"

#include "config.h"

/* --- lines ------------------------------------------------------------------------------------------- */

void sk_say(struct sk_adm *adm, const char *fmt, ...)
{
	va_list ap;

	if (adm->doc)
		return;
	va_start(ap, fmt);
	vfprintf(adm->out, fmt, ap);
	va_end(ap);
}

void sk_say_buf(struct sk_adm *adm, const struct sk_buf *text)
{
	if (!adm->doc)
		fwrite(sk_buf_cstr(text), 1, text->n, adm->out);
}

static void err_line(struct sk_adm *adm, const char *prefix, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
static void err_line(struct sk_adm *adm, const char *prefix, const char *fmt, va_list ap)
{
	SK_BUF struct sk_buf b = { 0 };

	sk_buf_vprintf(&b, fmt, ap);
	fprintf(adm->err, "%s%s\n", prefix, sk_buf_cstr(&b));
	fflush(adm->err);
	sk_doc_add(adm, "messages", json_object_new_string(sk_buf_cstr(&b)));
}

void sk_warn(struct sk_adm *adm, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_line(adm, "iscsiadm: ", fmt, ap);
	va_end(ap);
}

void sk_try_help(struct sk_adm *adm)
{
	fputs("Try `iscsiadm --help' for more information.\n", adm->err);
}

void sk_lib_say(struct sk_adm *adm, char level, const char *fmt, ...)
{
	va_list ap;

	if (level == 'W' && adm->args.debug >= 0 && adm->args.debug < 2)
		return;
	va_start(ap, fmt);
	err_line(adm, level == 'W' ? "iSCSI WARNING: " : "iSCSI ERROR: ", fmt, ap);
	va_end(ap);
}

void sk_skip_told(void *ctx, const char *path, const char *why)
{
	sk_lib_say(ctx, 'W', "%s: %s", path, why);
}

void sk_warn_reported(struct sk_adm *adm, int code)
{
	char buf[64];

	sk_warn(adm, "initiator reported error (%d - %s)", code, sk_result_words(code, buf, sizeof(buf)));
}

const char *sk_result_words(int code, char *buf, size_t size)
{
	const char *text = sk_result_text(code);

	if (text)
		return text;
	snprintf(buf, size, "invalid error code %d", code);
	return buf;
}

/* --- the document ------------------------------------------------------------------------------------ */

void sk_jput_str(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

void sk_jput_int(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

void sk_jput_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

void sk_jput_known(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, value == -1 ? NULL : json_object_new_int64(value));
}

void sk_doc_open(struct sk_adm *adm)
{
	if (!adm->args.json)
		return;
	adm->doc = json_object_new_object();
	sk_jput_str(adm->doc, "schema", "siskin-iscsiadm-1");
	sk_jput_str(adm->doc, "version", SK_VERSION);
	sk_jput_str(adm->doc, "mode", adm->args.mode ? sk_adm_mode_word(adm->args.mode) : NULL);
	sk_jput_str(adm->doc, "action", NULL);
	json_object_object_add(adm->doc, "result", json_object_new_object());
	sk_doc_list(adm, "errors");
}

void sk_doc_action(struct sk_adm *adm, const char *action)
{
	if (adm->doc)
		sk_jput_str(adm->doc, "action", action);
}

void sk_doc_list(struct sk_adm *adm, const char *name)
{
	if (adm->doc && !json_object_object_get_ex(adm->doc, name, NULL))
		json_object_object_add(adm->doc, name, json_object_new_array());
}

void sk_doc_add(struct sk_adm *adm, const char *name, struct json_object *taken)
{
	struct json_object *list = NULL;

	if (!adm->doc) {
		json_object_put(taken);
		return;
	}
	sk_doc_list(adm, name);
	if (json_object_object_get_ex(adm->doc, name, &list))
		json_object_array_add(list, taken);
}

struct json_object *sk_doc_about(const struct sk_about *about)
{
	struct json_object *o = json_object_new_object();

	if (!about)
		return o;
	if (about->target)
		sk_jput_str(o, "target", about->target);
	if (about->host)
		sk_jput_str(o, "address", about->host);
	if (about->port)
		sk_jput_int(o, "port", about->port);
	if (about->iface)
		sk_jput_str(o, "iface", about->iface);
	if (about->sid)
		sk_jput_int(o, "sid", about->sid);
	return o;
}

void sk_doc_error(struct sk_adm *adm, int code, const struct sk_err *err, const struct sk_about *about)
{
	struct json_object *o;
	char buf[64];

	if (!adm->doc || code == SK_RES_NO_OBJS_FOUND)
		return;
	o = sk_doc_about(about);
	sk_jput_int(o, "code", code);
	sk_jput_str(o, "name", sk_result_name(code));
	sk_jput_str(o, "text", err && err->msg[0] ? err->msg : sk_result_words(code, buf, sizeof(buf)));
	json_object_object_add(o, "errno", err && err->sys ? json_object_new_int(err->sys) : NULL);
	json_object_object_add(o, "login_status", err && err->login ? json_object_new_int(err->login) : NULL);
	sk_doc_add(adm, "errors", o);
}

void sk_doc_result(struct sk_adm *adm, const struct sk_about *about, int code, struct json_object *result,
		   const char *const *copied, const struct sk_err *err)
{
	struct json_object *o, *value;

	if (!adm->doc)
		return;
	o = sk_doc_about(about);
	sk_jput_int(o, "code", code);
	sk_jput_str(o, "name", sk_result_name(code));
	for (; result && *copied; copied++)
		if (json_object_object_get_ex(result, *copied, &value))
			json_object_object_add(o, *copied, json_object_get(value));
	sk_doc_add(adm, "results", o);
	if (code)
		sk_doc_error(adm, code, err, about);
}

/* Something failed and no error says what: the first message does. */
static void add_missing_error(struct sk_adm *adm, int code)
{
	struct json_object *errors = NULL, *messages = NULL;
	struct sk_err err = { 0 };

	json_object_object_get_ex(adm->doc, "errors", &errors);
	if (!code || json_object_array_length(errors) > 0)
		return;
	if (json_object_object_get_ex(adm->doc, "messages", &messages))
		sk_fail(&err, SK_EINVAL, "%s", json_object_get_string(json_object_array_get_idx(messages, 0)));
	sk_doc_error(adm, code, &err, NULL);
}

void sk_doc_refused(struct sk_adm *adm, const char *lines, int code)
{
	static const char prefix[] = "iscsiadm: ";

	adm->args.json = true;
	sk_doc_open(adm);
	while (*lines) {
		size_t n = strcspn(lines, "\n"), skip = strncmp(lines, prefix, sizeof(prefix) - 1) == 0 ? sizeof(prefix) - 1 : 0;

		if (n > skip)
			sk_doc_add(adm, "messages", json_object_new_string_len(lines + skip, (int)SK_MIN(n - skip, (size_t)4096)));
		lines += n + (lines[n] == '\n');
	}
	sk_doc_close(adm, code);
}

void sk_doc_close(struct sk_adm *adm, int code)
{
	struct json_object *result = NULL;
	char buf[64];

	if (!adm->doc)
		return;
	add_missing_error(adm, code);
	json_object_object_get_ex(adm->doc, "result", &result);
	sk_jput_int(result, "code", code);
	sk_jput_str(result, "name", sk_result_name(code));
	sk_jput_str(result, "text", sk_result_words(code, buf, sizeof(buf)));
	fprintf(adm->out, "%s\n",
		json_object_to_json_string_ext(adm->doc, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(adm->doc);
	adm->doc = NULL;
}

/** one "key = value" line of a printed record */
static void put_line(struct json_object *o, char *line, bool secrets)
{
	char *value = strstr(line, " = ");
	bool masked;

	if (line[0] == '#' || !value)
		return;
	*value = '\0';
	value += 3;
	masked = !secrets && sk_adm_key_is_secret(line) && strcmp(value, "<empty>") != 0;
	sk_jput_str(o, line, masked ? NULL : strcmp(value, "<empty>") == 0 ? "" : value);
}

struct json_object *sk_jrecord(const struct sk_record *r, bool secrets)
{
	struct json_object *o = json_object_new_object();
	struct sk_buf text = { 0 };
	char *rest = NULL;

	sk_record_print(&text, r, secrets ? SK_FORM_SHOW_SECRETS : SK_FORM_SHOW);
	for (char *line = text.p ? strtok_r(text.p, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
		put_line(o, line, secrets);
	sk_buf_wipe(&text);
	return o;
}
