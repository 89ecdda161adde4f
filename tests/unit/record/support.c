/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/store_impl.h"

static struct {
	const char *from, *to, *root;
} copying;

/* The trees are kept with their links as files that hold the target. */
static int copy_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *base = path + ftw->base;
	struct sk_node_key key;
	char to[1024], target[1024];
	size_t n;
	char *text;

	(void)st;
	snprintf(to, sizeof(to), "%s%s", copying.to, path + strlen(copying.from));
	if (type == FTW_D) {
		assert_true(mkdir(to, 0700) == 0 || errno == EEXIST);
		return 0;
	}
	text = slurp(path, &n);
	if (sk_disc_link_parse(base, &key)) {
		assert_memory_equal(text, "/etc/iscsi/", 11);
		snprintf(target, sizeof(target), "%s/%s", copying.root, text + 11);
		assert_int_equal(symlink(target, to), 0);
	} else {
		spill(to, text, n);
	}
	free(text);
	return 0;
}

void room_open(struct room *r, const char *tree)
{
	/* in memory where there is such a place: nothing here is about how fast a disk syncs */
	room_open_in(r, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", tree);
}

void room_open_in(struct room *r, const char *base, const char *tree)
{
	char from[512];

	memset(r, 0, sizeof(*r));
	snprintf(r->dir, sizeof(r->dir), "%s/siskin-record-XXXXXX", base);
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->db, sizeof(r->db), "%s/db", r->dir);
	snprintf(r->places.dbroot, sizeof(r->places.dbroot), "%s", r->db);
	snprintf(r->places.lockdir, sizeof(r->places.lockdir), "%s/lock", r->dir);
	if (tree) {
		snprintf(from, sizeof(from), "%s/%s", TEST_DATA, tree);
		copying.from = from;
		copying.to = copying.root = r->db;
		assert_int_equal(nftw(from, copy_entry, 16, FTW_PHYS), 0);
	}
	r->s = sk_store_open(&r->places, NULL);
	assert_non_null(r->s);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void room_link_nodes(struct room *r)
{
	bool in_memory = strncmp(r->dir, "/dev/shm/", 9) == 0;
	char from[100], to[100];
	struct stat here, there;

	snprintf(r->far, sizeof(r->far), "%s/siskin-nodes-XXXXXX", in_memory ? "/tmp" : "/dev/shm");
	assert_non_null(mkdtemp(r->far));
	assert_int_equal(stat(r->db, &here), 0);
	assert_int_equal(stat(r->far, &there), 0);
	assert_true(here.st_dev != there.st_dev);
	snprintf(from, sizeof(from), "%s/nodes", r->db);
	snprintf(to, sizeof(to), "%s/nodes", r->far);
	copying.from = from;
	copying.to = to;
	assert_int_equal(nftw(from, copy_entry, 16, FTW_PHYS), 0);
	assert_int_equal(nftw(from, remove_entry, 16, FTW_PHYS | FTW_DEPTH), 0);
	assert_int_equal(symlink(to, from), 0);
}

void room_close(struct room *r)
{
	sk_store_free(r->s);
	if (r->far[0])
		assert_int_equal(nftw(r->far, remove_entry, 16, FTW_PHYS | FTW_DEPTH), 0);
	assert_int_equal(nftw(r->dir, remove_entry, 16, FTW_PHYS | FTW_DEPTH), 0);
}

char *slurp(const char *path, size_t *n)
{
	struct sk_buf b = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		print_message("%s: %s\n", path, strerror(errno));
	assert_true(fd >= 0);
	assert_int_equal(sk_file_slurp(fd, 1u << 24, &b, NULL), 0);
	close(fd);
	if (n)
		*n = b.n;
	return b.p ? b.p : calloc(1, 1);
}

void spill(const char *path, const void *p, size_t n)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

const char *below(const struct room *r, const char *path)
{
	static char buf[4][1100];
	static unsigned next;
	char *b = buf[next++ % 4];

	snprintf(b, sizeof(buf[0]), "%s/%s", r->db, path);
	return b;
}

bool exists(const struct room *r, const char *path)
{
	struct stat st;

	return lstat(below(r, path), &st) == 0;
}

static void snap_dir(struct sk_buf *out, int at, const char *name, const char *shown)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sk_names names = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(sk_names_read(fd, &names, NULL), 0);
	for (size_t i = 0; i < names.n; i++) {
		char path[2048], target[2048];
		struct stat st;

		if (strcmp(names.v[i], ".siskin") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", shown, names.v[i]);
		assert_int_equal(fstatat(fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		sk_buf_printf(out, "%o %s", st.st_mode, path);
		if (S_ISLNK(st.st_mode)) {
			ssize_t n = readlinkat(fd, names.v[i], target, sizeof(target));

			assert_true(n > 0);
			sk_buf_printf(out, " -> %.*s\n", (int)n, target);
		} else if (S_ISDIR(st.st_mode)) {
			sk_buf_ch(out, '\n');
			snap_dir(out, fd, names.v[i], path);
		} else {
			int file = openat(fd, names.v[i], O_RDONLY | O_CLOEXEC);

			sk_buf_ch(out, '\n');
			assert_true(file >= 0);
			assert_int_equal(sk_file_slurp(file, 1u << 24, out, NULL), 0);
			close(file);
		}
	}
	sk_names_free(&names);
	close(fd);
}

char *snapshot(const struct room *r)
{
	struct sk_buf out = { 0 };

	snap_dir(&out, AT_FDCWD, r->db, "");
	return out.p ? out.p : calloc(1, 1);
}

struct sk_record *node(const char *name, const char *host, const char *tpgt, ...)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL);
	const char *key;
	va_list ap;

	assert_non_null(r);
	assert_int_equal(sk_record_set(r, "node.name", name, NULL), 0);
	assert_int_equal(sk_record_set(r, "node.conn[0].address", host, NULL), 0);
	assert_int_equal(sk_record_set(r, "node.tpgt", tpgt, NULL), 0);
	assert_int_equal(sk_record_set(r, "iface.iscsi_ifacename", "default", NULL), 0);
	assert_int_equal(sk_record_set(r, "iface.transport_name", "tcp", NULL), 0);
	va_start(ap, tpgt);
	while ((key = va_arg(ap, const char *))) {
		struct sk_err err = { 0 };

		if (sk_record_set(r, key, va_arg(ap, const char *), &err) < 0)
			fail_msg("%s", err.msg);
	}
	va_end(ap);
	return r;
}
