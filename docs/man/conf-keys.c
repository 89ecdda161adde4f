/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "record/schema.h"

/** Writes iscsid.conf.5: the page's text, with its line ".KEYS <kind>" replaced by the rows of the schema, so that
 * the manual cannot differ from the programs. */

static const char *effect(enum sk_effect e)
{
	/* clang-format off */
	switch (e) {
	case SK_AT_LOGIN: return "Holds from the next login on.";
	case SK_AT_START: return "Read when sessions are started by class.";
	case SK_AT_DISCOVERY: return "Holds from the next discovery on.";
	case SK_AT_KEY: return "Names the record: set when it is made.";
	case SK_AT_OFFLOAD: return "For offload hardware alone.";
	case SK_STORED: return "Kept for other tools, without effect here.";
	}
	/* clang-format on */
	return "";
}

static void put(const char *text)
{
	for (; *text; text++) {
		if (*text == '-')
			putchar('\\');
		putchar(*text);
	}
}

static void row(const struct sk_schema_row *r)
{
	struct sk_buf legal = { 0 };

	sk_schema_legal(&legal, r);
	printf(".TP\n.B ");
	put(r->key);
	printf("\n");
	put(r->doc);
	printf(".\nLegal: ");
	put(sk_buf_cstr(&legal));
	printf(". Default: ");
	put(*r->def ? r->def : "none");
	printf(".\n%s\n", effect(r->effect));
	if (r->flags & SK_ROW_LIVE)
		printf("A running session takes it over with\n.BR \\-\\-live .\n");
	if (r->flags & SK_ROW_RARE)
		printf("Of newer releases: in a record only once it was set, because older ones refuse to list it.\n");
	if (r->flags & SK_ROW_MASKED)
		printf("A secret: shown as stars unless asked for.\n");
	sk_buf_free(&legal);
}

static void rows(enum sk_record_kind kind, bool iface)
{
	for (size_t i = 0; i < sk_schema_count; i++) {
		const struct sk_schema_row *r = &sk_schema[i];

		if (r->kinds & SK_IN(kind) && !(r->flags & SK_ROW_HIDDEN) &&
		    (kind != SK_REC_NODE || (strncmp(r->key, "iface.", 6) == 0) == iface))
			row(r);
	}
}

static const struct {
	const char *line;
	enum sk_record_kind kind;
	bool iface;
} places[] = {
	{ ".KEYS node\n", SK_REC_NODE, false },
	{ ".KEYS iface\n", SK_REC_NODE, true },
	{ ".KEYS sendtargets\n", SK_REC_SENDTARGETS, false },
	{ ".KEYS isns\n", SK_REC_ISNS, false },
};

int main(int argc, char **argv)
{
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
	char line[1024];

	if (!in) {
		fprintf(stderr, "usage: conf-keys iscsid.conf.5.in\n");
		return 1;
	}
	while (fgets(line, sizeof(line), in)) {
		bool replaced = false;

		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			if (strcmp(line, places[i].line) != 0)
				continue;
			rows(places[i].kind, places[i].iface);
			replaced = true;
		}
		if (!replaced)
			fputs(line, stdout);
	}
	fclose(in);
	return ferror(stdout) ? 1 : 0;
}
