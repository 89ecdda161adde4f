/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session/advice.h"

#include <errno.h>
#include <stddef.h>

#include "base/mem.h"

struct row {
	int number;
	const char *text;
};

#define SECRETS	   "compare user name, secret and algorithms (node.session.auth.*) with the target's"
#define TARGET_LOG "the target's log says more"
#define WIRE	   "look for packet loss, a wrong MTU or a middle box on the way (tracepath, ethtool -S)"

static const struct row logins[] = {
	{ 0x0101, "the target moved for now: nothing to do" },
	{ 0x0102, "the target moved for good: discover again, or set the record's portal to where it leads" },
	{ 0x0200, TARGET_LOG ": it takes the initiator to be at fault, without saying how" },
	{ 0x0201, SECRETS },
	{ 0x0202, "allow this initiator name at the target (its access list, host group or ACL), or give this "
		  "machine the name that is "
		  "allowed" },
	{ 0x0203, "no such target at this portal: compare names with a discovery, or ask whether it was removed" },
	{ 0x0204, "the target was removed: delete its record when it will not come back" },
	{ 0x0205, "the target speaks no version of iSCSI that is spoken here: update it" },
	{ 0x0206,
	  "the target allows no further connections or sessions: log out what is not needed, or raise its limit" },
	{ 0x0207, "the target misses something in the login: " TARGET_LOG },
	{ 0x0208, "this session cannot be continued at that portal: log out and in again" },
	{ 0x0209, "this kind of session is not supported there: is the portal one for discovery only?" },
	{ 0x020a, "the target does not know the session any more: it will be logged in anew" },
	{ 0x020b, "the target takes what was asked for to be invalid: " TARGET_LOG },
	{ 0x0300, "the target has a fault of its own: " TARGET_LOG },
	{ 0x0301, "the target or its service is not running just now: it is tried again" },
	{ 0x0302, "the target is out of resources: it is tried again; fewer sessions or commands help" },
};

static const struct row kernels[] = {
	{ 1001,
	  "the target breaks the protocol: update its software; until then try other values of MaxBurstLength" },
	{ 1002,
	  "the target breaks the protocol: update its software; until then try other values of MaxBurstLength" },
	{ 1003, "the target breaks the protocol: update its software" },
	{ 1004, "the target breaks the protocol: update its software" },
	{ 1005, "the target, or something on the way, sends what is not iSCSI: is this its port?" },
	{ 1006,
	  "the target sends more at once than was agreed: update its software, or raise MaxRecvDataSegmentLength" },
	{ 1007, "the target breaks the protocol: update its software" },
	{ 1008, "the target breaks the protocol: " TARGET_LOG },
	{ 1009, "the target breaks the protocol: update its software" },
	{ 1010,
	  "the target answers twice or too late: update its software; longer abort_timeout may help until then" },
	{ 1011, "is the target up, and the way there? ping the portal" },
	{ 1012, "the target breaks the protocol: update its software" },
	{ 1013, "the session is logged in again; when it happens often, " TARGET_LOG },
	{ 1014, "bytes changed on the way: " WIRE },
	{ 1015, "bytes changed on the way: " WIRE },
	{ 1016, "the kernel is older than what was asked of it: update it, or leave the record at its defaults" },
	{ 1017, "the target answers twice or too late: update its software" },
	{ 1018, "the host adapter was taken away: log in again when it is back" },
	{ 1019, "is the target up, and the way there? ping the portal" },
	{ 1020, "the target closed the connection: it was restarted, or " TARGET_LOG },
	{ 1021, "the target is too slow or hangs: look at its disks; longer timeouts of commands "
		"(/sys/block/sdX/device/timeout) may help" },
	{ 1022, "the target or the way there does not answer: ping the portal; a slow target needs a longer "
		"noop_out_timeout" },
};

static const struct row errnos[] = {
	{ ECONNREFUSED, "nothing listens there: is the target's service running, and is this its port?" },
	{ ECONNRESET, "the target closed the connection: " TARGET_LOG },
	{ EPIPE, "the target closed the connection: " TARGET_LOG },
	{ ETIMEDOUT,
	  "nothing answers: is the machine up, the network there, a firewall in between? ping the portal" },
	{ EHOSTUNREACH, "there is no way to the portal: look at routes and at the network on the target's side" },
	{ ENETUNREACH,
	  "there is no route to the portal: is the interface up and has it an address? (ip addr, ip route)" },
	{ ENETDOWN, "the network device is down: ip link set dev … up" },
	{ EHOSTDOWN, "the machine does not answer in its network: is it up?" },
	{ EADDRNOTAVAIL, "this machine has no address to come from: is the interface configured? (ip addr)" },
	{ ENODEV,
	  "the network device of the iface does not exist: look at iface.net_ifacename and iface.hwaddress" },
	{ EACCES, "a firewall of this machine forbids it, or iscsid may not bind to the device (CAP_NET_RAW)" },
	{ EPERM, "a firewall of this machine forbids it (nft list ruleset)" },
};

/* What is left when no number says more. */
static const char *const causes[SK_CAUSE_COUNT] = {
	[SK_CAUSE_RESOLVE] = "look at /etc/resolv.conf and the name servers, or use the address in the record",
	[SK_CAUSE_CONNECT] = "is the target up, and the way there? ping the portal",
	[SK_CAUSE_TIMEOUT] = "the target is slow or hangs: " TARGET_LOG "; a slow one needs a longer login_timeout",
	[SK_CAUSE_LOST] = "the target closed the connection: it was restarted, or " TARGET_LOG,
	[SK_CAUSE_REFUSED] = "it may pass: the login is tried again; " TARGET_LOG,
	[SK_CAUSE_FOR_GOOD] = TARGET_LOG,
	[SK_CAUSE_AUTH] = SECRETS,
	[SK_CAUSE_PROTO] =
		"the two do not agree: go back to the record's default values, or update the target's software",
	[SK_CAUSE_REDIRECTS] =
		"the target sends us in a circle, or to an address that cannot be right: look at its redirection",
	[SK_CAUSE_HANDOFF] = "the system's log says what this machine lacks",
};

static const char *find(const struct row *rows, size_t n, int number)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == number)
			return rows[i].text;
	return NULL;
}

const char *sk_advice_login(uint16_t status)
{
	return find(logins, SK_ARRAY_LEN(logins), status);
}

const char *sk_advice_kernel(int number)
{
	return find(kernels, SK_ARRAY_LEN(kernels), number);
}

const char *sk_advice_errno(int sys)
{
	return find(errnos, SK_ARRAY_LEN(errnos), sys);
}

const char *sk_advice(const struct sk_err *err, enum sk_cause c)
{
	const char *text = NULL;

	if (err->login)
		text = sk_advice_login(err->login);
	else if (err->sys >= 1001)
		text = sk_advice_kernel(err->sys);
	else if (err->sys > 0)
		text = sk_advice_errno(err->sys);
	if (!text && c < SK_CAUSE_COUNT)
		text = causes[c];
	return text;
}
