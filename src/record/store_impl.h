/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_STORE_IMPL_H
#define SK_RECORD_STORE_IMPL_H

/** Inside of the store; for the files of this room alone. */

#include <stdbool.h>
#include <sys/types.h>

#include "record/store.h"

#define SK_LOCK_MS 30000	/* how long a single operation waits for the lock, as the incumbent does */
#define SK_RECORD_MAX (256u << 10)	/* bytes of one record file */

/** Names of a directory, or other owned texts. */
struct sk_names {
	char **v;
	size_t n;
};

struct sk_store {
	int root;		/* dbroot */
	int aux;		/* dbroot/.siskin, or -1 until it is needed */
	char root_path[256];	/* links hold absolute paths */
	char lockdir[256];
	const char *proc;	/* where processes are looked for: /proc */
	unsigned depth;		/* of nested locks */
	int lock_fd;		/* .siskin/lock, locked while depth > 0 */
	int link_fd;		/* our file behind the incumbent's lock.write, or -1 */
	char link_path[300];
	struct sk_change *change;	/* what is staged; NULL unless one was begun */
	struct sk_names told;	/* oddities of files already in the log: each once, however many records have it */
};

/** A path below dbroot, made of checked components. */
struct sk_path {
	char s[1024];
};

/* --- files.c: opening beneath the root, reading, listing --- */

/** sk_db_fail - as sk_fail_sys, with the code SK_EDB (SK_ENOENT stays) */
int sk_db_fail(struct sk_err *err, int sys, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** sk_beneath - open @path below @root, -1 and errno. No link is followed, but one: the first part of the path (nodes,
 * ifaces …) may be a link that root or we own, to a directory that root or we own and nobody else may write. */
int sk_beneath(int root, const char *path, int flags, mode_t mode);

/** sk_file_slurp - the whole of a regular file of at most @max bytes, appended to @ret */
int sk_file_slurp(int fd, size_t max, struct sk_buf *ret, struct sk_err *err);

#define SK_NAMES __attribute__((cleanup(sk_names_free)))

/** sk_names_add - a copy of @name at the end; -1 when out of memory */
int sk_names_add(struct sk_names *n, const char *name);
/** sk_names_read - entries of a directory, opened for this, in byte order, without "." and ".." */
int sk_names_read(int dir, struct sk_names *ret, struct sk_err *err);
void sk_names_free(struct sk_names *n);

/* --- tree.c: entries beneath the root, and temporary ones in .siskin --- */

/** sk_store_aux - the directory .siskin, made when missing */
int sk_store_aux(struct sk_store *s, struct sk_err *err);
/** sk_parent_open - the directory of @path's last component, which *ret_base points to */
int sk_parent_open(struct sk_store *s, const char *path, const char **ret_base, struct sk_err *err);
/** sk_file_write - a new file @name of directory @dir, replacing one; -1 and errno */
int sk_file_write(int dir, const char *name, struct sk_span text, bool sync);
/** sk_temp_write - a new file .siskin/@temp with these contents; -1 and errno */
int sk_temp_write(struct sk_store *s, const char *temp, struct sk_span text, bool sync);
/** sk_dirs_make - every directory of @path that is missing, 0700; those made are added to @made, outermost first */
int sk_dirs_make(struct sk_store *s, const char *path, struct sk_names *made, struct sk_err *err);
/** sk_dir_remove - if it is empty; anything else is no error */
void sk_dir_remove(struct sk_store *s, const char *path);
/** sk_file_to_dir - a regular file @path becomes a directory that holds it as @name (an old layout). At once, whatever
 * is staged: what the tree says stays the same. */
int sk_file_to_dir(struct sk_store *s, const char *path, const char *name, struct sk_err *err);

/* --- across.c: entries between .siskin and the tree, which may be on two file systems --- */

/** sk_entry_move - @a of @from becomes @b of @to, replacing it; 0 or a negative errno. One of the two is .siskin. */
int sk_entry_move(struct sk_store *s, int from, const char *a, int to, const char *b);
/** sk_entry_moved - the rest of a move of @base of @dir to .siskin that was interrupted: of a copy the source goes, too */
int sk_entry_moved(struct sk_store *s, int dir, const char *base);
/** sk_entry_keep - what @base of @dir is now, also as .siskin/@old; 0 or a negative errno */
int sk_entry_keep(struct sk_store *s, int dir, const char *base, const char *old);

/* --- stage.c: what a change does; only between sk_store_begin and its end --- */

int sk_stage_write(struct sk_store *s, const char *path, struct sk_span text, struct sk_err *err);
/** sk_stage_link - a symbolic link with this target, replacing one with another */
int sk_stage_link(struct sk_store *s, const char *path, const char *target, struct sk_err *err);
/** sk_stage_unlink - remove a file or link; one that is not there is no error. *removed may be NULL */
int sk_stage_unlink(struct sk_store *s, const char *path, bool *removed, struct sk_err *err);
/** sk_stage_dirs - every directory of @path, before anything else is done */
int sk_stage_dirs(struct sk_store *s, const char *path, struct sk_err *err);
/** sk_stage_rmdir - remove a directory if it is empty then, after everything else */
int sk_stage_rmdir(struct sk_store *s, const char *path, struct sk_err *err);
/** sk_stage_aside - the step staged last means nothing without the others: what it places may be there before them, what
 * it removes may stay after them */
void sk_stage_aside(struct sk_store *s);
/** sk_store_end - commit when @rc is 0, else abandon; returns the result */
int sk_store_end(struct sk_store *s, int rc, struct sk_err *err);

/* --- journal.c --- */

/** sk_change_recover - finish or take back what a process that died had begun; the lock was just taken */
int sk_change_recover(struct sk_store *s, struct sk_err *err);
/** sk_store_settle - before reading: the same, if there is something and the lock can be had soon */
void sk_store_settle(struct sk_store *s);

/* --- names.c: keys, paths and link names --- */

/** sk_path_component_ok - 1..255 bytes, not "." or "..", no '/', no control character */
bool sk_path_component_ok(const char *s);
/** sk_iname_spelled - a name already found good, kept in its own spelling */
void sk_iname_spelled(const char *text, struct sk_iname *ret);
/** sk_node_key_check - may all parts stand in a path? */
int sk_node_key_check(const struct sk_node_key *key, struct sk_err *err);

void sk_path_single(const struct sk_node_key *key, struct sk_path *ret);	/* nodes/T/A,P */
void sk_path_portal(const struct sk_node_key *key, struct sk_path *ret);	/* nodes/T/A,P,G */
void sk_path_node(const struct sk_node_key *key, struct sk_path *ret);		/* the record itself */
/** sk_disc_link_name - T,A,P,G,I; false when it would be longer than a file name may be */
bool sk_disc_link_name(const struct sk_node_key *key, char ret[256]);
/** sk_disc_link_parse - the key a link name tells; false when it is none */
bool sk_disc_link_parse(const char *name, struct sk_node_key *ret);
/** sk_portal_dir_parse - "A,P" or "A,P,G" (tpgt SK_TPGT_NONE without G); numbers in canonical spelling only */
bool sk_portal_dir_parse(const char *name, struct sk_portal *ret);

/* --- store_link.c: where a node's discovery link lies --- */

/** sk_disc_link_path - path of the link of @r; "" when records of this source have none */
void sk_disc_link_path(struct sk_store *s, const struct sk_record *r, const struct sk_node_key *key, struct sk_path *ret);
/** sk_disc_link_due - where it should lie when a discovery writes @r: a link of the old isns layout moves to its server */
void sk_disc_link_due(struct sk_store *s, const struct sk_record *r, const struct sk_node_key *key, struct sk_path *ret);
bool sk_store_exists(struct sk_store *s, const char *path);	/* the entry itself; links are not followed */
bool sk_store_is_dir(struct sk_store *s, const char *path);

/* --- load.c --- */

/** sk_record_load - read and parse one record file. NULL: SK_ENOENT (also for an empty file), SK_EDB or SK_ENOMEM */
struct sk_record *sk_record_load(struct sk_store *s, int dir, const char *name, enum sk_record_kind kind,
				 const char *path, struct sk_err *err);
/** sk_record_load_node - and check that it is the record its path names; fills key->iface for the single-file layout */
struct sk_record *sk_record_load_node(struct sk_store *s, int dir, const char *name, struct sk_node_key *key,
				      bool single, const char *path, struct sk_err *err);
int sk_record_save(struct sk_store *s, const char *path, const struct sk_record *r, struct sk_err *err);

/* --- marks.c: what a user set by hand --- */

/** sk_marks_save - with the record at @path, which was @old or NULL: mark what a user set, forget marks that hold no more;
 * @anew: all others */
int sk_marks_save(struct sk_store *s, const char *path, const struct sk_record *old, const struct sk_record *r,
		  bool anew, struct sk_err *err);
int sk_marks_drop(struct sk_store *s, const char *path, struct sk_err *err);
/** sk_disc_record_path - where a discovery record lies */
int sk_disc_record_path(const struct sk_record *r, struct sk_path *ret, struct sk_err *err);

/* --- identity.c --- */

/** sk_identity_sure - is the file beyond doubt the record @key names (not of the single-file layout)? For listings: a
 * fraction of the cost of reading it. False where one must look closer. */
bool sk_identity_sure(int dir, const char *name, const struct sk_node_key *key);

/* --- survey.c --- */

struct sk_survey_key {
	struct sk_portal portal;
	char iface[65];
};
/** What lies under one target's name; zeroed before the survey. */
struct sk_survey {
	bool sure;	/* .v is all there is, and each file is the record its path names */
	struct sk_survey_key *v;	/* in listing order */
	size_t n, cap;
};
/** sk_survey - look at the targets with these names below the directory @nodes, with several threads */
void sk_survey(int nodes, char *const *names, size_t n, struct sk_survey *ret);
void sk_survey_drop(struct sk_survey *found, size_t n);

/** sk_conf_scan - the value of @key, lent from @text */
bool sk_conf_scan(struct sk_span text, const char *key, struct sk_span *ret);

#endif
