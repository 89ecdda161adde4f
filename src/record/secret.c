/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "record/store_impl.h"

#define OF_ISCSID "/run/credentials/iscsid.service"	/* where the service manager puts them */

/** the text of a descriptor, without one final newline; at most 1024 bytes */
static char *read_secret(int fd, const char *what, struct sk_err *err)
{
	char buf[1026];
	size_t n = 0;
	ssize_t got;
	char *text;

	while (n < sizeof(buf) && (got = read(fd, buf + n, sizeof(buf) - n)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			sk_fail_sys(err, errno, "read %s", what);
			explicit_bzero(buf, sizeof(buf));
			return NULL;
		}
		n += (size_t)got;
	}
	if (n && buf[n - 1] == '\n')
		n--;
	text = n > 1024 || memchr(buf, 0, n) ? NULL : strndup(buf, n);
	explicit_bzero(buf, sizeof(buf));
	if (!text)
		sk_fail(err, SK_EINVAL, "%s: not a text of up to 1024 bytes", what);
	return text;
}

static int open_secret(const char *path, struct sk_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return sk_fail_sys(err, errno, "open %s (a value that begins with '@' is written '@@...')", path);
	if (fstat(fd, &st) < 0 || (S_ISREG(st.st_mode) && st.st_mode & 077)) {
		close(fd);
		return sk_fail(err, SK_EINVAL, "%s may be read by others: a file with a secret needs mode 0600",
			       path);
	}
	return fd;
}

char *sk_secret_credential(const char *name, struct sk_err *err)
{
	const char *where = getenv("CREDENTIALS_DIRECTORY");
	SK_FD int dir = -1;
	SK_FD int fd = -1;
	char *secret = NULL;

	if (!where || !*where)
		where = OF_ISCSID;
	if (!sk_path_component_ok(name)) {
		sk_fail(err, SK_EINVAL, "not the name of a credential");
		return NULL;
	}
	dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		sk_fail_sys(err, errno, "credential %.100s in %s", name, where);
		if (err && errno == ENOENT)
			err->code = SK_ENOENT;
		return NULL;
	}
	secret = read_secret(fd, name, err);
	if (secret && !*secret) {
		sk_fail(err, SK_EINVAL, "credential %.100s is empty", name);
		free(secret);
		return NULL;
	}
	return secret;
}

char *sk_secret_resolve(const char *value, struct sk_err *err)
{
	SK_FD int fd = -1;
	uint64_t n;
	char *plain;

	if (strcmp(value, "-") == 0)
		return read_secret(STDIN_FILENO, "standard input", err);
	if (value[0] != '@' || value[1] == '@') {
		plain = strdup(value + (value[0] == '@'));
		if (!plain)
			sk_fail(err, SK_ENOMEM, "no memory");
		return plain;
	}
	if (strncmp(value, "@fd:", 4) == 0) {
		if (sk_num_u64(value + 4, strlen(value + 4), 0, 65535, &n))
			return read_secret((int)n, value + 1, err);
		sk_fail(err, SK_EINVAL, "'%s' does not name a descriptor", value);
		return NULL;
	}
	if (strncmp(value, SK_SECRET_CREDENTIAL, strlen(SK_SECRET_CREDENTIAL)) == 0)
		return sk_secret_credential(value + strlen(SK_SECRET_CREDENTIAL), err);
	fd = open_secret(value + 1, err);
	return fd < 0 ? NULL : read_secret(fd, value + 1, err);
}

void sk_secret_blank(const char *arg)
{
	/* argv's strings are ours to write (C17, 5.1.2.2.1) */
	char *p = (char *)(uintptr_t)arg;

	for (; *p; p++)
		*p = 'x';
}
