//! Every key of `gateway.toml`, as a file that does what no file does. A test reads it back key by key.

/// The file.
pub(super) const TEXT: &str = r#"# gateway.toml: the operator's settings. Strict: an unknown key is an error. Read again when it changes.
# Every key stands here with its default; a list that is absent restricts nothing, an empty one allows nothing.

[gateway]
# Where MCP clients connect. Loopback only: the gateway speaks no TLS. Changes with a restart.
listen = "127.0.0.1:7685"

[ceiling]
# What any agent may reach at most, whatever its SOUL.md says. Deny wins.
# allow_hosts = ["https://*.wikipedia.org"]   # absent: any host that SOUL.md grants
deny_hosts = []                               # such as ["*.internal.example", "10.0.0.0/8"]
deny_dirs = []                                # such as ["/etc", "~/.ssh"]; a grant that touches one is an error
require_approval = []                         # such as ["writes", "POST", "delete"]: waits for a person; or ["always"]

[limits]
# Of a skill whose SOUL.md says nothing; SOUL.md only tightens them.
time = "30s"
memory = "256MiB"
output = "1MiB"
disk = "256MiB"                               # written by one call
rate = "120/minute"                           # calls
# egress = "1MiB/hour"                        # absent: no limit beyond that of one request

[network]
# ca_file = "/etc/ssl/own-ca.pem"             # certificates trusted beside the public ones
# proxy = "http://127.0.0.1:3128"             # a proxy that speaks CONNECT; the environment's is not used

[files]
hard_links = "refuse"                         # or "allow": files with more than one hard link

[approvals]
# How a person is asked about what `approve` of SOUL.md or `require_approval` names. No answer is no.
timeout = "120s"                              # at most a day
ways = ["cli"]                                # also "mcp": a form in the agent's own client; "webhook": a link
nobody = "wait"                               # or "deny": refuse at once while nobody watches and no other way is open
waiting = 32                                  # of one agent at once; what comes then is refused, what waits stays
gateway_waiting = 256                         # of all agents
rate = "30/minute"                            # how often one skill may ask
body = "1MiB"                                 # a request's body has to be complete to be shown; more is refused
file = "8MiB"                                 # likewise what a file will hold
# `webhook`, a URL, goes with "webhook" in `ways` and with nothing else: it is told of what waits, with a link.
# address = "https://gate.example"            # what links begin with, where a proxy stands before the gateway

[audit]
durability = "process"                        # survives kill -9; "power": every record is on the disk before a call runs
rotate = "64MiB"                              # a trail of this size goes on in a new file
"#;
