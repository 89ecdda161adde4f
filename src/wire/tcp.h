/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_WIRE_TCP_H
#define SK_WIRE_TCP_H

/**
 * sk_wire - a TCP connection to a portal and whole PDUs on it, for the control plane: logins and discovery. The
 * data path does not come here. Nothing blocks.
 *
 * It never reads a byte more than the PDU at hand needs, and after a Login Response nothing at all until the next
 * send: what follows the last one belongs to the full-feature phase and stays in the socket for whoever gets it.
 */

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "loop/loop.h"
#include "proto/pdu.h"

struct sk_wire;

struct sk_wire_cfg {
	char netdev[32];     /* bind to this device (SO_BINDTODEVICE); "" = any. Never falls back to another */
	char hwaddress[32];  /* …or to the device with this address */
	char ipaddress[64];  /* source address, numeric, of that device; alone it chooses the device. "" = any */
	int window_size;     /* SO_RCVBUF and SO_SNDBUF; 0 leaves the system's (autotuning) */
	int tos;	     /* IP_TOS / IPV6_TCLASS; 0 leaves it */
	char congestion[16]; /* TCP_CONGESTION; failure is only logged */
	uint32_t max_data;   /* largest data segment accepted, bytes */
};

struct sk_wire_events { /* exactly one up or one down; after down nothing. Never from inside a call of ours. */
	void (*up)(void *ctx);
	void (*pdu)(void *ctx, const struct sk_pdu *lent);
	void (*down)(void *ctx, const struct sk_err *why);
};

/** sk_wire_open - NULL for what is wrong on this side (SK_ENOENT: the device or address of the iface does not exist
 * now); a connect that fails, at once or later, is told by down(). How long to wait is the caller's to decide. */
struct sk_wire *sk_wire_open(struct sk_loop *l, const struct sockaddr_storage *addr, const struct sk_wire_cfg *cfg,
			     const struct sk_wire_events *ev, void *ctx, struct sk_err *err);
/** sk_wire_owner - its events go to another owner from now on */
void sk_wire_owner(struct sk_wire *w, const struct sk_wire_events *ev, void *ctx);
int sk_wire_send(struct sk_wire *w, struct sk_pdu *taken, struct sk_err *err); /* owns it even on failure */
/** sk_wire_detach - take the descriptor away (handoff); fails with SK_EPROTO if a PDU is under way in either
 * direction. *fd is non-blocking, TCP_NODELAY. The wire is gone afterwards, whatever is returned. */
int sk_wire_detach(struct sk_wire *taken, int *ret_fd, struct sk_err *err);
void sk_wire_close(struct sk_wire *w); /* NULL is fine; no event follows */

#endif
