/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include "mgmt/message.h"

/* The bytes arrive in two pieces; every message that is accepted must frame and parse again as itself. */

static void again(struct json_object *o)
{
	SK_BUF struct sk_buf b = { 0 };
	struct json_object *back = NULL;

	if (sk_msg_frame(&b, o, NULL) < 0)
		return;
	if (sk_msg_next(&b, &back, NULL) != 1 || b.n != 0)
		__builtin_trap();
	if (sk_msg_int(o, "id", -1) != sk_msg_int(back, "id", -1))
		__builtin_trap();
	json_object_put(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	SK_BUF struct sk_buf in = { 0 };
	struct json_object *o;
	size_t cut = n ? p[0] % n : 0;
	int rc = 0;

	sk_buf_add(&in, p, cut);
	for (int piece = 0; piece < 2 && rc >= 0; piece++) {
		while ((rc = sk_msg_next(&in, &o, NULL)) > 0) {
			(void)sk_msg_str(o, "method");
			(void)sk_msg_obj(sk_msg_obj(o, "params"), "x");
			again(o);
			json_object_put(o);
		}
		sk_buf_add(&in, p + cut, n - cut);
	}
	return 0;
}
