/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/mem.h"
#include "proto/login.h"

/* RFC 7143, 11.13.5 */
static const struct {
	uint16_t status;
	const char *text;
} words[] = {
	{ 0x0000, "success" },
	{ 0x0101, "target moved temporarily" },
	{ 0x0102, "target moved permanently" },
	{ 0x0200, "initiator error" },
	{ 0x0201, "authentication failure" },
	{ 0x0202, "authorization failure" },
	{ 0x0203, "target not found" },
	{ 0x0204, "target removed" },
	{ 0x0205, "unsupported version" },
	{ 0x0206, "too many connections" },
	{ 0x0207, "missing parameter" },
	{ 0x0208, "cannot include this connection in the session" },
	{ 0x0209, "session type not supported" },
	{ 0x020a, "session does not exist" },
	{ 0x020b, "invalid request during login" },
	{ 0x0300, "target error" },
	{ 0x0301, "service unavailable" },
	{ 0x0302, "target out of resources" },
};

const char *sk_login_status_text(uint16_t status)
{
	static const char *const class_words[] = { "success", "target moved", "initiator error", "target error" };

	for (size_t i = 0; i < SK_ARRAY_LEN(words); i++)
		if (words[i].status == status)
			return words[i].text;
	return status >> 8 < (int)SK_ARRAY_LEN(class_words) ? class_words[status >> 8] : "unknown login status";
}
