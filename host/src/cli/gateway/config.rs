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
require_approval = []                         # `writes`, `always`, methods: such skills are refused until approvals are built

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

[outputs]
# What may never leave an agent. Each place is "block", "hold" (ask a person), "redact", "note" or "allow" (not looked at).
# A SOUL.md's own `Never output: …` blocks everywhere, whatever stands here.
detectors = ["private-key", "cloud-token"]    # and "card", "iban", "email"
results = "redact"                            # what the model reads
http = "block"                                # URLs, headers and bodies; a URL or header that would be redacted is blocked
files = "allow"                               # names and content
channels = "block"
examples = "allow"                            # keys from documentation pass these detectors in results and files; or "judge"

# [[outputs.rules]]                           # as many as you like; where neither it nor [outputs] says otherwise, it blocks
# name = "titan"                              # shown in denials: not what it looks for
# words = ["Project Titan"]                   # whole, in any case; or: expression = 'TICKET-[0-9]{6}'; or: detector = "card"
# files = "note"

[audit]
durability = "process"                        # survives kill -9; "power": every record is on the disk before a call runs
rotate = "64MiB"                              # a trail of this size goes on in a new file
"#;
