/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include "proto/iname.h"

/* An accepted name is safe in a path and a record, and is its own normal form. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_iname name, again;
	struct sk_err err = { 0 };

	memset(&name, 0x5a, sizeof(name));
	again = name;
	if (sk_iname_parse(sk_span(p, n), &name, &err) < 0) {
		if (memcmp(&name, &again, sizeof(name)) != 0 || err.code != SK_EINVAL)
			__builtin_trap();
		for (const char *c = err.msg; *c; c++)
			if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
				__builtin_trap();
		return 0;
	}
	if (strlen(name.s) != n || strpbrk(name.s, "/, \t\r\n\\\"'$`;&|<>*?") || strstr(name.s, "..") || name.s[0] == '-')
		__builtin_trap();
	if (sk_iname_parse(sk_span_str(name.s), &again, NULL) < 0 || !sk_iname_eq(&name, &again))
		__builtin_trap();
	return 0;
}
