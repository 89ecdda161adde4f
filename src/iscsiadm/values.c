/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "iscsiadm/options.h"
#include "iscsiadm/values.h"
#include "mgmt/result.h"
#include "proto/iname.h"
#include "record/secret.h"

struct sk_adm_text sk_adm_printable(const char *text)
{
	struct sk_adm_text t;
	size_t at = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (at > sizeof(t.s) - 8) {
			memcpy(t.s + at, "...", 3);
			at += 3;
			break;
		}
		if (c < 0x20 || c == 0x7f)
			at += (size_t)snprintf(t.s + at, sizeof(t.s) - at, "\\x%02x", c);
		else
			t.s[at++] = (char)c;
	}
	t.s[at] = '\0';
	return t;
}

int sk_adm_prefix_u64(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	*ret = 0;
	if (*text == '-')
		return text[1] >= '1' && text[1] <= '9' ? ERANGE : 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		unsigned d = (unsigned)(*text - '0');

		if (v > (max - d) / 10 || (max < d))
			return ERANGE;
		v = v * 10 + d;
	}
	*ret = v;
	return 0;
}

int sk_adm_decimal(const char *text)
{
	int64_t v = 0;
	bool minus;

	text += strspn(text, " \t\n");
	minus = *text == '-';
	for (text += minus || *text == '+'; *text >= '0' && *text <= '9'; text++)
		v = SK_MIN(v * 10 + (*text - '0'), (int64_t)INT32_MAX);
	return (int)(minus ? -v : v);
}

int sk_adm_target_safe(const char *text, struct sk_err *err)
{
	const char *why = NULL;
	size_t n = strlen(text);

	if (n == 0)
		why = "it is empty";
	else if (n > SK_INAME_MAX)
		why = "it is longer than 223 bytes";
	else if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0 || strchr(text, '/'))
		why = "it could leave the database directory";
	for (const char *p = text; *p && !why; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			why = "it holds a control character";
	if (!why)
		return 0;
	return sk_fail(err, SK_EINVAL, "Invalid target name '%.100s': %s", sk_adm_printable(text).s, why);
}

/* --- secrets ----------------------------------------------------------------------------------------- */

bool sk_adm_key_is_secret(const char *key)
{
	size_t n = strlen(key);

	return (n > 9 && strcmp(key + n - 9, ".password") == 0) ||
	       (n > 12 && strcmp(key + n - 12, ".password_in") == 0);
}

int sk_adm_secrets(struct sk_adm_args *a, struct sk_err *err)
{
	for (unsigned i = 0; i < a->n_pairs; i++) {
		struct sk_adm_pair *p = &a->pairs[i];
		char *secret;

		if (!sk_adm_key_is_secret(p->name))
			continue;
		secret = sk_secret_resolve(p->value, err);
		if (!secret)
			return sk_in(err, "%s", p->name);
		sk_wipe_free(p->value, strlen(p->value));
		p->value = secret;
	}
	return 0;
}

/* --- -r ---------------------------------------------------------------------------------------------- */

/** the number of the last "session<N>" component of a path; 0 if there is none */
static uint32_t sid_in_path(char *path)
{
	for (char *slash = strrchr(path, '/'); slash; slash = strrchr(path, '/')) {
		uint64_t n;

		if (strncmp(slash + 1, "session", 7) == 0 &&
		    sk_num_u64(slash + 8, strlen(slash + 8), 1, UINT32_MAX, &n))
			return (uint32_t)n;
		*slash = '\0';
	}
	return 0;
}

/** the first of text, sysfs/text and state tree/text that exists; owned */
static char *find_path(const struct sk_places *places, const char *text)
{
	const char *below = strncmp(text, "/sys/", 5) == 0 ? text + 4 : text;
	char *path = NULL;

	if (text[0] != '/')
		return NULL;
	if (access(text, F_OK) == 0)
		return strdup(text);
	if (asprintf(&path, "%s%s", places->sysfs, below) < 0)
		return NULL;
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	if (asprintf(&path, "%s/sys%s", places->rundir, below) < 0)
		return NULL;
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

int sk_adm_sid(const struct sk_places *places, const char *text, uint32_t *ret, int *ret_code, struct sk_err *err)
{
	SK_MEM char *path = NULL;
	SK_MEM char *real = NULL;
	struct stat st;
	uint64_t n;

	const char *digits = text + (text[0] == '+');

	if (sk_num_u64(digits, strlen(digits), 1, UINT32_MAX, &n)) {
		*ret = (uint32_t)n;
		return 0;
	}
	*ret_code = SK_RES_ERR;
	path = find_path(places, text);
	if (!path || stat(path, &st) < 0)
		return sk_fail(err, SK_ENOENT, "%.100s is an invalid session ID or path", sk_adm_printable(text).s);
	if (!S_ISDIR(st.st_mode))
		return sk_fail(err, SK_EINVAL, "%.100s is not a directory", sk_adm_printable(text).s);
	real = realpath(path, NULL);
	*ret = real ? sid_in_path(real) : 0;
	if (*ret)
		return 0;
	*ret_code = SK_RES_INVAL;
	return sk_fail(err, SK_EINVAL, "Unable to find sid in path %.90s\ninvalid sid '%.90s'",
		       sk_adm_printable(text).s, sk_adm_printable(text).s);
}
