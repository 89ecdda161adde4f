/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "null.h"

#include <string.h>

#include "base/num.h"
#include "scsi/cdb.h"

/* --- answers --- */

static void numbers_next(struct null_conn *c)
{
	c->sn.max_cmd_sn = c->sn.exp_cmd_sn + NULL_SLOTS - 1 - c->n_writes;
}

static void response(struct null_conn *c, uint32_t itt, uint8_t status, const void *seg, uint32_t n)
{
	uint8_t bhs[SK_BHS_LEN];

	sk_scsi_rsp_put(bhs, &(struct sk_scsi_rsp){ .status = status, .itt = itt, .data_len = n }, &c->sn);
	c->sn.stat_sn++;
	null_out(c, bhs, seg, n);
}

static void refuse(struct null_conn *c, uint32_t itt)
{
	static const uint8_t seg[20] = { 0, 18, 0x70, 0, 0x05, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20 };

	response(c, itt, 2, seg, sizeof(seg));
}

/* @n bytes of @data (NULL: zeroes) as Data-In PDUs, the last one with the status */
static void data_in(struct null_conn *c, const struct sk_scsi_cmd *cmd, const void *data, uint32_t n)
{
	uint32_t len = SK_MIN(n, cmd->edtl), off = 0, sn = 0;
	uint8_t bhs[SK_BHS_LEN];

	do {
		uint32_t most = SK_MIN(c->peer_mrdsl, NULL_ZEROES), k = SK_MIN(len - off, most);
		bool last = off + k == len;
		bool end_of_burst = last || (off + k) % c->max_burst == 0;
		struct sk_data_in d = {
			.flags = (uint8_t)(end_of_burst ? SK_BHS_FINAL : 0),
			.itt = cmd->itt,
			.ttt = SK_TAG_NONE,
			.data_sn = sn++,
			.offset = off,
			.data_len = k,
		};

		if (last) {
			d.flags |= SK_DATA_IN_STATUS;
			if (cmd->edtl > len) {
				d.flags |= SK_RSP_UNDERFLOW;
				d.residual = cmd->edtl - len;
			}
		}
		sk_data_in_put(bhs, &d, &c->sn);
		c->sn.stat_sn += last;
		null_out(c, bhs, data ? (const uint8_t *)data + off : NULL, k);
		off += k;
	} while (off < len);
}

/* --- commands that tell about the disk --- */

static void inquiry(struct null_conn *c, const struct sk_scsi_cmd *cmd)
{
	uint8_t b[96] = { 0, 0, 6, 2, 91 };
	uint8_t page = cmd->cdb[2];

	if (!(cmd->cdb[1] & 1)) {
		memcpy(b + 8, "SISKIN  NULL TARGET     0001", 28);
		data_in(c, cmd, b, SK_MIN((uint32_t)sizeof(b), (uint32_t)sk_be16(cmd->cdb + 3)));
		return;
	}
	memset(b, 0, sizeof(b));
	b[1] = page;
	if (page == 0x00) {
		b[3] = 3;
		b[5] = 0x80;
		b[6] = 0x83;
	} else if (page == 0x80) {
		b[3] = 8;
		memcpy(b + 4, "NULL0001", 8);
	} else if (page == 0x83) {
		static const uint8_t naa[] = { 1, 3, 0, 8, 0x30, 0, 0, 0, 0, 0, 0, 1 };

		b[3] = sizeof(naa);
		memcpy(b + 4, naa, sizeof(naa));
	} else {
		refuse(c, cmd->itt);
		return;
	}
	data_in(c, cmd, b, SK_MIN(4U + b[3], (uint32_t)sk_be16(cmd->cdb + 3)));
}

static void capacity(struct null_conn *c, const struct sk_scsi_cmd *cmd)
{
	uint8_t b[32] = { 0 };

	if (cmd->cdb[0] == SK_SCSI_READ_CAPACITY_10) {
		sk_set_be32(b, (uint32_t)SK_MIN(c->cfg->blocks - 1, (uint64_t)UINT32_MAX));
		sk_set_be32(b + 4, NULL_BLOCK);
		data_in(c, cmd, b, 8);
		return;
	}
	sk_set_be64(b, c->cfg->blocks - 1);
	sk_set_be32(b + 8, NULL_BLOCK);
	data_in(c, cmd, b, SK_MIN((uint32_t)sizeof(b), sk_be32(cmd->cdb + 10)));
}

static void report_luns(struct null_conn *c, const struct sk_scsi_cmd *cmd)
{
	uint8_t b[8 + 8 * NULL_LUNS] = { 0 };
	uint32_t n = 8 * c->cfg->luns;

	sk_set_be32(b, n);
	for (uint32_t i = 0; i < c->cfg->luns; i++)
		b[8 + 8 * i + 1] = (uint8_t)i;
	data_in(c, cmd, b, 8 + n);
}

static void mode_sense(struct null_conn *c, const struct sk_scsi_cmd *cmd)
{
	uint8_t b[8] = { 3 };

	if (cmd->cdb[0] == SK_SCSI_MODE_SENSE_10) {
		b[0] = 0;
		b[1] = 6;
		data_in(c, cmd, b, 8);
		return;
	}
	data_in(c, cmd, b, 4);
}

static void good(struct null_conn *c, const struct sk_scsi_cmd *cmd)
{
	response(c, cmd->itt, 0, NULL, 0);
}

static void read_zeroes(struct null_conn *c, const struct sk_scsi_cmd *cmd)
{
	data_in(c, cmd, NULL, cmd->edtl);
}

/* --- writes --- */

static void write_go_on(struct null_conn *c, struct null_write *w)
{
	uint8_t bhs[SK_BHS_LEN];
	uint32_t len = SK_MIN(w->edtl - w->asked, c->max_burst);

	if (w->got < w->asked)
		return; /* the burst asked for, or the unsolicited one, goes on */
	if (w->got == w->edtl) {
		response(c, w->itt, 0, NULL, 0);
		w->used = false;
		c->n_writes--;
		return;
	}
	sk_r2t_put(bhs, &(struct sk_r2t){ .lun = w->lun, .itt = w->itt, .ttt = (uint32_t)(w - c->writes),
					  .r2t_sn = w->r2t_sn++, .offset = w->asked, .len = len }, &c->sn);
	w->asked += len;
	null_out(c, bhs, NULL, 0);
}

static void write_start(struct null_conn *c, const struct sk_scsi_cmd *cmd, uint32_t imm)
{
	struct null_write *w = c->writes;
	uint32_t asked = imm;

	if (!(cmd->flags & SK_BHS_FINAL)) /* what InitialR2T=No lets the initiator send without being asked */
		asked = SK_MIN(c->first_burst, cmd->edtl);
	if (imm == cmd->edtl) {
		response(c, cmd->itt, 0, NULL, 0);
		return;
	}
	while (w->used)
		w++; /* the window keeps one free */
	*w = (struct null_write){ true, cmd->itt, cmd->edtl, imm, asked, 0, cmd->lun };
	c->n_writes++;
	write_go_on(c, w);
}

void null_data_out(struct null_conn *c, const uint8_t *bhs, uint32_t n)
{
	struct sk_data_out d;
	uint32_t i;

	sk_data_out_get(bhs, &d);
	i = d.ttt;
	if (d.ttt == SK_TAG_NONE)
		for (i = 0; i < NULL_SLOTS && !(c->writes[i].used && c->writes[i].itt == d.itt);)
			i++;
	if (i >= NULL_SLOTS || !c->writes[i].used) {
		c->closing = true;
		return;
	}
	c->writes[i].got += n;
	write_go_on(c, &c->writes[i]);
}

static const struct {
	uint8_t op;
	void (*run)(struct null_conn *c, const struct sk_scsi_cmd *cmd);
} commands[] = {
	{ SK_SCSI_READ_10, read_zeroes },
	{ SK_SCSI_READ_16, read_zeroes },
	{ SK_SCSI_TEST_UNIT_READY, good },
	{ SK_SCSI_SYNCHRONIZE_CACHE_10, good },
	{ SK_SCSI_SYNCHRONIZE_CACHE_16, good },
	{ SK_SCSI_INQUIRY, inquiry },
	{ SK_SCSI_READ_CAPACITY_10, capacity },
	{ SK_SCSI_SERVICE_ACTION_IN_16, capacity },
	{ SK_SCSI_REPORT_LUNS, report_luns },
	{ SK_SCSI_MODE_SENSE_6, mode_sense },
	{ SK_SCSI_MODE_SENSE_10, mode_sense },
};

void null_command(struct null_conn *c, const uint8_t *bhs, uint32_t imm)
{
	struct sk_scsi_cmd cmd;
	uint8_t op;

	sk_scsi_cmd_get(bhs, &cmd);
	op = cmd.cdb[0];
	c->cmds++;
	c->sn.exp_cmd_sn += !cmd.immediate;
	numbers_next(c);
	if (op == SK_SCSI_WRITE_10 || op == SK_SCSI_WRITE_16) {
		write_start(c, &cmd, imm);
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].op == op) {
			commands[i].run(c, &cmd);
			return;
		}
	refuse(c, cmd.itt);
}
