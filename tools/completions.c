/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "iscsiadm/options.h"
#include "record/schema.h"

/** Writes the shell completions of iscsiadm, so that they cannot differ from its tables: completions bash|zsh|fish.
 * What runs or is stored is asked of iscsiadm itself, as JSON, at the moment somebody presses the key. */

enum values {
	NONE,
	MODES,
	OPS,
	TYPES,
	SUBMODES,
	TARGETS,
	PORTALS,
	IFACES,
	SIDS,
	KEYS,
	CLASSES,
	LEVELS,
	FILES,
	ANY
};

/* What an option's argument is; the options themselves come from iscsiadm's table. */
static const struct {
	int letter;
	enum values values;
} arguments[] = {
	{ 'm', MODES },
	{ 'o', OPS },
	{ 't', TYPES },
	{ 'C', SUBMODES },
	{ 'T', TARGETS },
	{ 'p', PORTALS },
	{ 'I', IFACES },
	{ 'r', SIDS },
	{ 'n', KEYS },
	{ 'L', CLASSES },
	{ 'U', CLASSES },
	{ 'P', LEVELS },
	{ SK_LONG_HOMEDIR, FILES },
	{ SK_LONG_DBROOT, FILES },
	{ SK_LONG_RUNDIR, FILES },
};

static const struct {
	const char *name, *mode, *field; /* a function of the script; "-m mode", and the members it wants */
} asked[] = {
	[TARGETS] = { "targets", "node", "target" },
	[PORTALS] = { "portals", "node", "address" },
	[IFACES] = { "ifaces", "iface", "iface" },
	[SIDS] = { "sids", "session", "sid" },
};

static enum values values_of(const struct sk_opt_row *o)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(arguments); i++)
		if (arguments[i].letter == o->letter)
			return arguments[i].values;
	return o->arg ? ANY : NONE;
}

static void keys(void)
{
	for (size_t i = 0; i < sk_schema_count; i++)
		if (!(sk_schema[i].flags & (SK_ROW_KEY | SK_ROW_HIDDEN | SK_ROW_RARE)))
			printf(" %s", sk_schema[i].key);
}

/* Fixed words, a blank before each. */
static void words(enum values v)
{
	const char *word;

	if (v == KEYS)
		keys();
	if (v == CLASSES)
		printf(" all manual automatic onboot");
	if (v == LEVELS)
		printf(" 0 1 2 3");
	for (unsigned m = SK_MODE_NONE + 1; v == MODES && m < SK_N_MODES; m++)
		printf(" %s", sk_adm_mode_word((enum sk_adm_mode)m));
	for (size_t i = 0;
	     (v == OPS || v == TYPES || v == SUBMODES) && (word = sk_adm_word(v == OPS	   ? SK_WORDS_OPS
									      : v == TYPES ? SK_WORDS_TYPES
											   : SK_WORDS_SUBMODES,
									      i));
	     i++)
		printf(" %s", word);
}

/* What iscsiadm knows, one a line; json-c puts each member on a line of its own. All three shells read this the
 * same. */
static void ask(enum values v)
{
	printf("\tcommand iscsiadm --json -m %s 2>/dev/null | sed -n ", asked[v].mode);
	if (v == PORTALS)
		printf("-e 's/^ *\"address\":\"\\([^\"]*:[^\"]*\\)\",*$/[\\1]/p' "
		       "-e 's/^ *\"address\":\"\\([^\"]*\\)\",*$/\\1/p' "
		       "-e 's/^ *\"port\":\\([0-9]*\\),*$/\\1/p' | paste -d: - -");
	else
		printf("'s/^ *\"%s\":\"*\\([^\",]*\\)\"*,*$/\\1/p'", asked[v].field);
	printf(" | sort -u\n");
}

static void ask_function(enum values v)
{
	printf("_iscsiadm_%s()\n{\n", asked[v].name);
	ask(v);
	printf("}\n\n");
}

static void patterns(const struct sk_opt_row *o, const char *sep)
{
	if (o->letter < 256)
		printf("-%c%s", o->letter, sep);
	printf("--%s", o->name);
}

static void bash_mode(unsigned m)
{
	printf("\t%s) echo \"", m ? sk_adm_mode_word((enum sk_adm_mode)m) : "*");
	for (size_t i = 0; i < sk_adm_n_options; i++) {
		if (m && !(sk_adm_options[i].modes & 1U << m))
			continue;
		patterns(&sk_adm_options[i], " ");
		printf(" ");
	}
	printf("\" ;;\n");
}

static void bash(void)
{
	printf("# bash completion for iscsiadm, written from its option tables\n\n");
	for (unsigned v = TARGETS; v <= SIDS; v++)
		ask_function((enum values)v);
	printf("_iscsiadm_options()\n{\n\tcase $1 in\n");
	for (unsigned m = SK_MODE_NONE + 1; m < SK_N_MODES; m++)
		bash_mode(m);
	bash_mode(SK_MODE_NONE);
	printf("\tesac\n}\n\n_iscsiadm_values()\n{\n\tcase $1 in\n");
	for (size_t i = 0; i < sk_adm_n_options; i++) {
		enum values v = values_of(&sk_adm_options[i]);

		if (v == NONE)
			continue;
		printf("\t");
		patterns(&sk_adm_options[i], "|");
		if (v >= TARGETS && v <= SIDS)
			printf(") _iscsiadm_%s ;;\n", asked[v].name);
		else {
			printf(") echo \"");
			words(v);
			printf("\" ;;\n");
		}
	}
	printf("\t*) return 1 ;;\n\tesac\n}\n\n");
	/* Colons and = split words in bash: put the pieces of the word at the cursor together again. No compgen -W,
	 * which would expand what stands in stored names. */
	fputs("_iscsiadm()\n{\n"
	      "\tlocal line=${COMP_LINE:0:COMP_POINT} mode='' previous='' cur='' word head i\n"
	      "\tlocal -a typed\n\n"
	      "\tread -ra typed <<<\"$line\"\n"
	      "\t[[ $line == *[[:space:]] ]] && typed+=('')\n"
	      "\tcur=${typed[${#typed[@]}-1]}\n"
	      "\tprevious=${typed[${#typed[@]}-2]}\n"
	      "\tfor ((i = 1; i < ${#typed[@]} - 1; i++)); do\n"
	      "\t\tcase ${typed[i]} in\n"
	      "\t\t-m|--mode) mode=${typed[i+1]} ;;\n"
	      "\t\t-m?*) mode=${typed[i]#-m} ;;\n"
	      "\t\t--mode=*) mode=${typed[i]#--mode=} ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\thead=''\n"
	      "\tif [[ $cur == --*=* ]]; then\n"
	      "\t\thead=${cur%%=*}=\n"
	      "\t\tword=$(_iscsiadm_values \"${cur%%=*}\")\n"
	      "\t\tcur=${cur#*=}\n"
	      "\telif word=$(_iscsiadm_values \"$previous\"); then\n"
	      "\t\t:\n"
	      "\telse\n"
	      "\t\tword=$(_iscsiadm_options \"$mode\")\n"
	      "\tfi\n"
	      "\tCOMPREPLY=()\n"
	      "\twhile read -r i; do\n"
	      "\t\t[[ -n $i && $i == \"$cur\"* ]] && COMPREPLY+=(\"$i\")\n"
	      "\tdone < <(tr -s ' ' '\\n' <<<\"$word\")\n"
	      "\tif [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then\n"
	      "\t\thead=${cur%\"${cur##*:}\"}\n"
	      "\t\tCOMPREPLY=(\"${COMPREPLY[@]#\"$head\"}\")\n"
	      "\tfi\n"
	      "}\n\ncomplete -F _iscsiadm iscsiadm\n",
	      stdout);
}

static void zsh(void)
{
	printf("#compdef iscsiadm\n# zsh completion for iscsiadm, written from its option tables\n\n");
	for (unsigned v = TARGETS; v <= SIDS; v++) {
		ask_function((enum values)v);
		printf("_iscsiadm_add_%s()\n{\n\tlocal -a found\n\tfound=(${(f)\"$(_iscsiadm_%s)\"})\n\tcompadd -a "
		       "found\n}\n\n",
		       asked[v].name, asked[v].name);
	}
	printf("_arguments -s \\\n");
	for (size_t i = 0; i < sk_adm_n_options; i++) {
		const struct sk_opt_row *o = &sk_adm_options[i];
		enum values v = values_of(o);

		for (int is_long = o->letter > 255; is_long < 2; is_long++) {
			if (is_long)
				printf("\t'*--%s%s%s", o->name, v ? "=" : "", v ? ":" : "");
			else
				printf("\t'*-%c%s%s", o->letter, v ? "+" : "", v ? ":" : "");
			if (v >= TARGETS && v <= SIDS)
				printf("%s:_iscsiadm_add_%s", o->name, asked[v].name);
			else if (v == FILES)
				printf("%s:_files -/", o->name);
			else if (v != NONE && v != ANY) {
				printf("%s:(", o->name);
				words(v);
				printf(" )");
			} else if (v == ANY)
				printf("%s: ", o->name);
			printf("'%s\n", i + 1 == sk_adm_n_options && is_long ? "" : " \\");
		}
	}
}

static void fish(void)
{
	printf("# fish completion for iscsiadm, written from its option tables\n\n");
	for (unsigned v = TARGETS; v <= SIDS; v++) {
		printf("function __iscsiadm_%s\n", asked[v].name);
		ask((enum values)v);
		printf("end\n\n");
	}
	printf("complete -c iscsiadm -f\n");
	for (size_t i = 0; i < sk_adm_n_options; i++) {
		const struct sk_opt_row *o = &sk_adm_options[i];
		enum values v = values_of(o);

		printf("complete -c iscsiadm -l %s", o->name);
		if (o->letter < 256)
			printf(" -s %c", o->letter);
		if (v >= TARGETS && v <= SIDS)
			printf(" -x -a '(__iscsiadm_%s)'", asked[v].name);
		else if (v == FILES)
			printf(" -r -a '(__fish_complete_directories)'");
		else if (v == ANY)
			printf(" -x");
		else if (v != NONE) {
			printf(" -x -a '");
			words(v);
			printf("'");
		}
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*write)(void);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

	for (size_t i = 0; argc == 2 && i < SK_ARRAY_LEN(shells); i++) {
		if (strcmp(argv[1], shells[i].name) != 0)
			continue;
		shells[i].write();
		return fflush(stdout) || ferror(stdout) ? 1 : 0;
	}
	fprintf(stderr, "usage: completions bash|zsh|fish\n");
	return 1;
}
