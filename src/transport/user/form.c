/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/user/form.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "mgmt/message.h"

enum kind { BOOL, U32, U16, I32 };

static const struct field {
	const char *name;
	enum kind kind;
	size_t off;
	int64_t min, max;
} fields[] = {
#define F(name, kind, min, max) { #name, kind, offsetof(struct sk_params, name), min, max }
	F(header_digest, BOOL, 0, 1),
	F(data_digest, BOOL, 0, 1),
	F(initial_r2t, BOOL, 0, 1),
	F(immediate_data, BOOL, 0, 1),
	F(data_pdu_in_order, BOOL, 0, 1),
	F(data_sequence_in_order, BOOL, 0, 1),
	F(max_recv_dsl, U32, 512, 16777215),
	F(max_xmit_dsl, U32, 512, 16777215),
	F(max_burst, U32, 512, 16777215),
	F(first_burst, U32, 512, 16777215),
	F(max_outstanding_r2t, U32, 1, 65535),
	F(time2wait, U32, 0, 3600),
	F(time2retain, U32, 0, 3600),
	F(erl, U32, 0, 2),
	F(protocol_level, U32, 0, 31),
	F(tpgt, I32, -1, 65535),
	F(tsih, U16, 0, 65535),
	F(cmd_sn, U32, 0, UINT32_MAX),
	F(exp_cmd_sn, U32, 0, UINT32_MAX),
	F(max_cmd_sn, U32, 0, UINT32_MAX),
	F(exp_stat_sn, U32, 0, UINT32_MAX),
#undef F
};

static int64_t field_get(const struct sk_params *p, const struct field *f)
{
	const char *at = (const char *)p + f->off;
	uint32_t u32;
	uint16_t u16;
	int32_t i32;
	bool b;

	switch (f->kind) {
	case BOOL:
		memcpy(&b, at, sizeof(b));
		return b;
	case U16:
		memcpy(&u16, at, sizeof(u16));
		return u16;
	case I32:
		memcpy(&i32, at, sizeof(i32));
		return i32;
	case U32:
		break;
	}
	memcpy(&u32, at, sizeof(u32));
	return u32;
}

static void field_set(struct sk_params *p, const struct field *f, int64_t v)	/* v is within min..max */
{
	char *at = (char *)p + f->off;
	uint32_t u32 = (uint32_t)v;
	uint16_t u16 = (uint16_t)v;
	int32_t i32 = (int32_t)v;
	bool b = v;

	switch (f->kind) {
	case BOOL:
		memcpy(at, &b, sizeof(b));
		break;
	case U16:
		memcpy(at, &u16, sizeof(u16));
		break;
	case I32:
		memcpy(at, &i32, sizeof(i32));
		break;
	case U32:
		memcpy(at, &u32, sizeof(u32));
		break;
	}
}

struct json_object *sk_params_to_json(const struct sk_params *p)
{
	struct json_object *o = json_object_new_object();
	char isid[13];

	if (!o)
		return NULL;
	for (size_t i = 0; i < SK_ARRAY_LEN(fields); i++) {
		int64_t v = field_get(p, &fields[i]);

		json_object_object_add(o, fields[i].name,
				       fields[i].kind == BOOL ? json_object_new_boolean(v != 0) : json_object_new_int64(v));
	}
	for (size_t i = 0; i < sizeof(p->isid.b); i++)
		snprintf(isid + 2 * i, 3, "%02x", p->isid.b[i]);
	json_object_object_add(o, "isid", json_object_new_string(isid));
	json_object_object_add(o, "target_alias", json_object_new_string(p->target_alias));
	return o;
}

static int isid_from(const char *text, struct sk_isid *ret, struct sk_err *err)
{
	uint64_t v;

	if (!text || strlen(text) != 12 || !sk_num_hex(text, 12, &v))
		return sk_fail(err, SK_EPROTO, "isid is not 12 hexadecimal digits");
	for (int i = 5; i >= 0; i--, v >>= 8)
		ret->b[i] = (uint8_t)v;
	return 0;
}

int sk_params_from_json(struct json_object *o, struct sk_params *ret, struct sk_err *err)
{
	struct sk_params p = { 0 };
	const char *alias = sk_msg_str(o, "target_alias");

	for (size_t i = 0; i < SK_ARRAY_LEN(fields); i++) {
		const struct field *f = &fields[i];
		int64_t v = f->kind == BOOL ? sk_msg_bool(o, f->name, false) : sk_msg_int(o, f->name, INT64_MIN);

		if (!json_object_object_get_ex(o, f->name, NULL))
			return sk_fail(err, SK_EPROTO, "%s is missing", f->name);
		if (v < f->min || v > f->max)
			return sk_fail(err, SK_EPROTO, "%s=%lld is outside %lld..%lld", f->name, (long long)v,
				       (long long)f->min, (long long)f->max);
		field_set(&p, f, v);
	}
	if (p.first_burst > p.max_burst)
		return sk_fail(err, SK_EPROTO, "first_burst=%u is over max_burst=%u", p.first_burst, p.max_burst);
	if (isid_from(sk_msg_str(o, "isid"), &p.isid, err) < 0)
		return -1;
	if (alias)
		snprintf(p.target_alias, sizeof(p.target_alias), "%s", alias);
	*ret = p;
	return 0;
}
