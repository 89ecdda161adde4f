/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "record/store_impl.h"

/* What is parsed is made again byte for byte, and its paths stay below nodes/<target>. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *name = strndup((const char *)p, n), again[256];
	struct sk_node_key key;
	struct sk_portal portal;
	struct sk_path path;

	if (!name)
		return 0;
	if (sk_disc_link_parse(name, &key)) {
		unsigned slashes = 0;

		if (strlen(name) < 256 && (!sk_disc_link_name(&key, again) || strcmp(again, name) != 0))
			__builtin_trap();
		sk_path_node(&key, &path);
		for (const char *s = path.s; *s; s++)
			slashes += *s == '/';
		if (slashes != 3 || strstr(path.s, "/../") || strstr(path.s, "//"))
			__builtin_trap();
	}
	if (sk_portal_dir_parse(name, &portal) &&
	    (portal.port == 0 || portal.tpgt < -1 || strchr(portal.host, '/')))
		__builtin_trap();
	free(name);
	return 0;
}
