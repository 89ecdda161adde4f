/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/iname.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

/*
 * What a name may hold, and what is done with it. RFC 3722 asks for stringprep: map, NFKC, prohibit. For ASCII that
 * is done in full: upper case is lowered, and only letters, digits, '-', '.' and ':' pass. One deviation: '_'
 * passes too, because targets in the field use it. Beyond ASCII nothing is mapped: valid UTF-8 passes unchanged,
 * and a character that RFC 3722 prohibits, or that comes from a block whose characters NFKC turns into others
 * (among them U+FF0F, a '/' in disguise), is refused. So a name never becomes something that was not looked at.
 * ".." is refused anywhere: names become parts of paths.
 */

static const struct range {
	uint32_t first, last;
} refused[] = {
	{ 0x0080, 0x00a0 },    /* C1 controls, no-break space */
	{ 0x00ad, 0x00ad },    /* soft hyphen */
	{ 0x0300, 0x036f },    /* combining marks: NFKC composes them */
	{ 0x06dd, 0x06dd },    /* Arabic end of ayah, a format control */
	{ 0x070f, 0x070f },    /* Syriac abbreviation mark */
	{ 0x115f, 0x1160 },    /* Hangul fillers */
	{ 0x1680, 0x1680 },    /* Ogham space */
	{ 0x1806, 0x180e },    /* Mongolian separators */
	{ 0x2000, 0x20cf },    /* spaces, bidi and format controls, punctuation, super- and subscripts */
	{ 0x2100, 0x218f },    /* letterlike symbols, number forms */
	{ 0x2460, 0x24ff },    /* enclosed characters */
	{ 0x2ff0, 0x303f },    /* ideographic description, CJK spaces and punctuation */
	{ 0x3164, 0x3164 },    /* Hangul filler */
	{ 0x3200, 0x33ff },    /* enclosed and squared CJK */
	{ 0xd800, 0xfaff },    /* surrogates, private use, compatibility ideographs */
	{ 0xfb00, 0xfdff },    /* presentation forms, non-characters */
	{ 0xfe00, 0xffff },    /* variation selectors, presentation, half- and full-width forms, specials */
	{ 0x1d000, 0x1d7ff },  /* musical controls, mathematical letters */
	{ 0x1f100, 0x1f2ff },  /* enclosed letters and ideographs */
	{ 0x2f800, 0x2fa1f },  /* compatibility ideographs */
	{ 0xe0000, 0x10ffff }, /* tags, private use */
};

/* One quoted, printable piece of hostile text for messages. */
struct quote {
	char s[64];
};

static struct quote quoted(struct sk_span text)
{
	static const char hex[] = "0123456789abcdef";
	struct quote q;
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (n + 8 > sizeof(q.s)) {
			memcpy(q.s + n, "...", 3);
			n += 3;
			break;
		}
		if (c >= 0x20 && c < 0x7f) {
			q.s[n++] = (char)c;
			continue;
		}
		q.s[n++] = '\\';
		q.s[n++] = 'x';
		q.s[n++] = hex[c >> 4];
		q.s[n++] = hex[c & 15];
	}
	q.s[n] = '\0';
	return q;
}

/* The UTF-8 character at the front of @in: its length, or 0 if invalid (overlong, surrogate, out of range, cut). */
static size_t utf8(struct sk_span in, uint32_t *ret)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t min;
	} form[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
	uint32_t c;
	size_t n = 0;

	while (n < SK_ARRAY_LEN(form) && (in.p[0] & form[n].mask) != form[n].lead)
		n++;
	if (n == SK_ARRAY_LEN(form) || n >= in.n)
		return 0;
	c = in.p[0] & (uint8_t)~form[n].mask;
	for (size_t i = 1; i <= n; i++) {
		if ((in.p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (in.p[i] & 0x3f);
	}
	if (c < form[n].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n + 1;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool ascii_ok(uint32_t c)
{
	return is_lower((char)c) || is_digit((char)c) || c == '-' || c == '.' || c == ':' || c == '_';
}

static bool wide_ok(uint32_t c)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(refused); i++)
		if (c >= refused[i].first && c <= refused[i].last)
			return false;
	return (c & 0xfffe) != 0xfffe; /* non-characters of every plane */
}

/* Copy @text lowered, character by character checked. */
static int clean(struct sk_span text, struct sk_iname *out, struct sk_err *err)
{
	for (size_t at = 0; at < text.n;) {
		struct sk_span left = { text.p + at, text.n - at };
		uint32_t c;
		size_t n = utf8(left, &c);

		if (n == 0)
			return sk_fail(err, SK_EINVAL, "iSCSI name with invalid UTF-8 at \"%s\"", quoted(left).s);
		if (n == 1 && c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (n == 1 ? !ascii_ok(c) : !wide_ok(c))
			return sk_fail(err, SK_EINVAL,
				       "iSCSI name with a character that is not allowed: \"%s\" (RFC 3722, 6)",
				       quoted(sk_span(left.p, n)).s);
		if (n == 1)
			out->s[at] = (char)c;
		else
			memcpy(out->s + at, left.p, n);
		at += n;
	}
	out->s[text.n] = '\0';
	return 0;
}

/* iqn.yyyy-mm.authority[:anything] (RFC 7143, 4.2.7.4) */
static int check_iqn(const char *s, struct sk_err *err)
{
	const char *date = s + 4, *auth = s + 12;
	size_t n;
	uint64_t month;

	if (strlen(date) < 8 || !is_digit(date[0]) || !is_digit(date[1]) || !is_digit(date[2]) ||
	    !is_digit(date[3]) || date[4] != '-' || !sk_num_u64(date + 5, 2, 1, 12, &month) || date[7] != '.')
		return sk_fail(err, SK_EINVAL, "iSCSI name \"%s\": no date yyyy-mm. after iqn. (RFC 7143, 4.2.7.4)",
			       quoted(sk_span_str(s)).s);
	n = strcspn(auth, ":");
	if (n == 0 || auth[0] == '.' || auth[0] == '-' || auth[n - 1] == '.')
		return sk_fail(err, SK_EINVAL,
			       "iSCSI name \"%s\": no naming authority after the date (RFC 7143, 4.2.7.4)",
			       quoted(sk_span_str(s)).s);
	return 0;
}

/* The count of hexadecimal digits after the four bytes of the prefix; 0 if there is anything else. */
static size_t hex_digits(const char *s)
{
	size_t n = 4;

	while (is_digit(s[n]) || (s[n] >= 'a' && s[n] <= 'f'))
		n++;
	return s[n] ? 0 : n - 4;
}

/* eui. and 16 digits (4.2.7.5) */
static int check_eui(const char *s, struct sk_err *err)
{
	if (hex_digits(s) == 16)
		return 0;
	return sk_fail(err, SK_EINVAL, "iSCSI name \"%s\": eui. takes 16 hexadecimal digits (RFC 7143, 4.2.7.5)",
		       quoted(sk_span_str(s)).s);
}

/* naa. and 16 or 32 digits (4.2.7.6) */
static int check_naa(const char *s, struct sk_err *err)
{
	if (hex_digits(s) == 16 || hex_digits(s) == 32)
		return 0;
	return sk_fail(err, SK_EINVAL,
		       "iSCSI name \"%s\": naa. takes 16 or 32 hexadecimal digits (RFC 7143, 4.2.7.6)",
		       quoted(sk_span_str(s)).s);
}

static const struct {
	char prefix[5];
	int (*check)(const char *s, struct sk_err *err);
} types[] = { { "iqn.", check_iqn }, { "eui.", check_eui }, { "naa.", check_naa } };

int sk_iname_parse(struct sk_span text, struct sk_iname *ret, struct sk_err *err)
{
	struct sk_iname name;

	if (text.n == 0)
		return sk_fail(err, SK_EINVAL, "empty iSCSI name");
	if (text.n > SK_INAME_MAX)
		return sk_fail(err, SK_EINVAL, "iSCSI name \"%s\" of %zu bytes, %d are allowed (RFC 7143, 4.2.7.2)",
			       quoted(text).s, text.n, SK_INAME_MAX);
	memset(&name, 0, sizeof(name));
	if (clean(text, &name, err) < 0)
		return -1;
	if (strstr(name.s, ".."))
		return sk_fail(err, SK_EINVAL, "iSCSI name \"%s\" with \"..\" in it", quoted(text).s);
	for (size_t i = 0; i < SK_ARRAY_LEN(types); i++) {
		if (strncmp(name.s, types[i].prefix, 4) != 0)
			continue;
		if (types[i].check(name.s, err) < 0)
			return -1;
		*ret = name;
		return 0;
	}
	return sk_fail(err, SK_EINVAL, "iSCSI name \"%s\" begins with none of iqn. eui. naa. (RFC 7143, 4.2.7.3)",
		       quoted(text).s);
}

bool sk_iname_eq(const struct sk_iname *a, const struct sk_iname *b)
{
	return strcmp(a->s, b->s) == 0;
}
