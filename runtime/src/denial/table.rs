//! Every denial's stable id, what it means and what to do about it: the one table that the program, its
//! documentation and `soulbound explain` read.

macro_rules! denials {
    ($($(#[$doc:meta])* $variant:ident = $id:literal, $meaning:literal, $remedy:literal;)*) => {
        /// The stable, dotted name of one kind of denial.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum DenialId {
            $(#[doc = concat!("`", $id, "`: ", $meaning)] $variant,)*
        }

        impl DenialId {
            /// All of them, in the table's order.
            pub const ALL: &'static [DenialId] = &[$(DenialId::$variant,)*];

            /// The dotted form, such as `path.outside`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(DenialId::$variant => $id,)* }
            }

            /// What was refused, in a sentence or two.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(DenialId::$variant => $meaning,)* }
            }

            /// What to do about it, in a sentence or two.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $(DenialId::$variant => $remedy,)* }
            }

            /// The id with this dotted form.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($id => Some(DenialId::$variant),)* _ => None }
            }
        }
    };
}

denials! {
    SkillNotListed = "skill.not-listed",
        "The agent's SOUL.md does not list this skill under `## Skills`.",
        "List the skill with its grants, or call one that is listed.";
    SkillNotTrusted = "skill.not-trusted",
        "The component is not the one that was pinned or trusted: its SHA-256 differs. Or the agent waits for an operator: it changed before the gateway first looked at it, its SOUL.md cannot be used, or a skill is new in it.",
        "Put the pinned component back, or review the new one and change the `sha256` line. An agent that waits: `soulbound agents diff`, then trust what changed or roll it back.";
    RedteamRequired = "redteam.required",
        "The operator's gateway.toml lets an agent run only after `soulbound redteam` ran on exactly what is trusted of it, with this version of the program, and nothing got out. There is no such run.",
        "Run `soulbound redteam` on the agent. If something got out, that is what has to be mended first.";
    ImportNotGranted = "import.not-granted",
        "The component imports an interface that carries authority, and SOUL.md grants its skill nothing of that kind.",
        "Grant what the skill needs with the line that the hint shows, or name the capability under `refuse` to run the skill without it.";
    ImportUnknown = "import.unknown",
        "The component imports something that no capability of this program covers, so nobody could have granted it.",
        "Build the skill against WASI 0.2 and `soulbound:skill`; `soulbound inspect` lists what it imports.";
    ImportRefused = "import.refused",
        "The skill called an import that its SOUL.md lists under `refuse`.",
        "Nothing, if the refusal was meant. Otherwise take the capability out of `refuse` and grant it.";
    PathOutside = "path.outside",
        "The path leads outside every directory that the skill was granted, by its spelling or through a link. The skill is told only that there is no such entry.",
        "If the skill should reach it, grant a directory that holds it with `read`, `write` or `create`.";
    PathHidden = "path.hidden",
        "A name on the path starts with a dot. Inside a grant such names are as if they were not there.",
        "If the skill should see them, write `(hidden)` after the directory in SOUL.md.";
    PathProtected = "path.protected",
        "The file steers an agent (SOUL.md, SKILL.md, HEARTBEAT.md, AGENTS.md, CLAUDE.md, MEMORY.md, TOOLS.md) or holds its skills, and is never writable by one.",
        "Change such a file yourself; choose another name for the skill's output.";
    PathReadOnly = "path.read-only",
        "The directory was granted for reading only.",
        "Grant it with `write` (or `create` for new files only) if the skill should change it.";
    PathCreateOnly = "path.create-only",
        "The directory was granted with `create`: new files only, no reading, no overwriting, no deleting.",
        "Grant it with `read` or `write` if the skill should do more than add files.";
    PathSpecial = "path.special",
        "The path is a FIFO, a socket or a device. Only regular files and directories open.",
        "Keep such files out of granted directories.";
    PathHardLink = "path.hard-link",
        "The file has more than one hard link, so its other name may lie outside the grant.",
        "Copy the file, or set `[files] hard_links = \"allow\"` in gateway.toml if you know every name that it has.";
    PathExecutable = "path.executable",
        "The file has an execute bit, and a skill never writes what a program could run.",
        "Take the execute bit off, or write to another file.";
    PathLink = "path.link",
        "Skills create no links, symbolic or hard, and move none.",
        "Copy the content instead.";
    PathAcross = "path.across",
        "The rename leads from one granted directory into another. Two grants are two trees.",
        "Copy the content and delete the original, if both grants allow it.";
    PathMount = "path.mount",
        "Another file system is mounted inside the granted directory, and no mount point is crossed.",
        "Grant the mounted directory itself.";
    PathMoved = "path.moved",
        "The granted path no longer leads to the directory that was trusted, or that was opened when the skill was bound: it is gone, or another one is there.",
        "Put the directory back where it was; `soulbound agents trust AGENT` accepts another one in its place. `soulbound agents diff AGENT` tells which.";
    PathQuota = "path.quota",
        "The call has written as much as it may. Each new file or directory counts as 4096 bytes, beside what is written into it.",
        "Raise `limit: disk …` for the skill, up to the operator's limit, if it should write more.";
    HostNotGranted = "host.not-granted",
        "No `hosts` entry of the skill matches the scheme, host and port of the request.",
        "If the skill should reach it, add the host to its `hosts` line.";
    HostMalformed = "host.malformed",
        "The request's target is not a plain `http` or `https` origin: credentials, a number in a spelling of its own, a character that does not belong in a host name.",
        "Write the host as it stands in the grant.";
    HostMethod = "host.method",
        "The host is granted, the method is not. Without methods an entry allows GET and HEAD.",
        "Name the method before the host: `hosts: POST https://api.example.com`.";
    HostHeader = "host.header",
        "The request carries a header that would change where it goes or what it means.",
        "Leave the header out; the host sets what the protocol needs.";
    HostPrivateAddress = "host.private-address",
        "The name resolves to an address that is not public: private, loopback, link-local, metadata or otherwise reserved.",
        "If it is meant to, write `(private RANGE)` after the host. Metadata addresses are never reachable; `soulbound explain metadata` lists them.";
    HostCeiling = "host.ceiling",
        "The operator's gateway.toml keeps every agent away from this host.",
        "Ask the operator; SOUL.md cannot lift a ceiling.";
    SecretMissing = "secret.missing",
        "The request would carry a secret that SOUL.md names and the operator has not set, or the call is made where there are no secrets: on a SOUL.md itself. Without it nothing is sent.",
        "`soulbound secrets set NAME --agent AGENT --for https://host`; a call on an agent's id goes through the gateway, which has them.";
    SecretHost = "secret.host",
        "The operator set the secret for another host than the one that SOUL.md names. Both have to name the same one.",
        "Correct the line in SOUL.md, or set the secret again for the host that it is meant for.";
    SecretUnreadable = "secret.unreadable",
        "What the operator has set cannot be read: the sealed file or its key is gone, was changed, or belongs to another agent or gateway.",
        "`soulbound doctor` says which file; put it back, or remove it and set the agent's secrets again.";
    SecretHeader = "secret.header",
        "The skill set a header of its own for a host where that header carries a secret, which only the host sets.",
        "The skill's author should leave the header out for this host.";
    SecretEncoded = "secret.encoded",
        "A server that was sent a secret answered in a compressed form, although none was asked for. An echo of the secret could not be seen in it.",
        "The server has to honour `Accept-Encoding: identity`.";
    ChannelNotListed = "channel.not-listed",
        "The skill named a channel that the agent's SOUL.md does not list under `## Channels`.",
        "If the agent should send there, list the channel and let the operator bind it.";
    ChannelNotBound = "channel.not-bound",
        "SOUL.md lists the channel, and the operator's gateway.toml binds it to no place for this agent.",
        "Ask the operator to add a `[[channels]]` entry with this name; `soulbound gateway config` shows one.";
    ChannelText = "channel.text",
        "The message is empty, longer than one may be, or holds characters that are not for a message: controls other than newline and tab, characters that turn the direction of a line.",
        "Send a shorter or plainer text.";
    LimitTime = "limit.time",
        "The call ran longer than it may, computing, sleeping or waiting.",
        "Ask for less in one call, or raise `limit: time …` up to the operator's limit.";
    LimitMemory = "limit.memory",
        "The skill asked for more memory, tables or instances than it may have.",
        "Ask for less in one call, or raise `limit: memory …` up to the operator's limit.";
    LimitOutput = "limit.output",
        "The result, or what the skill passed to the host in one step, is larger than it may be.",
        "Ask for a smaller part, or raise `limit: output …` up to the operator's limit.";
    LimitRate = "limit.rate",
        "The skill was called more often than it may be.",
        "Wait, or raise `limit: rate …` up to the operator's limit.";
    LimitEgress = "limit.egress",
        "The skill has sent as many bytes as it may.",
        "Wait, or raise `limit: egress …`.";
    LimitRequests = "limit.requests",
        "The call made more HTTP requests, or had more open at once, than it may.",
        "Ask for less in one call.";
    LimitBody = "limit.body",
        "A request or a response of the skill was larger than one may be: its body or its head.",
        "Ask for a smaller part, or send less at once.";
    LimitStack = "limit.stack",
        "The skill recursed until its stack was full.",
        "Ask for less in one call; the skill's author can recurse less.";
    LimitHandles = "limit.handles",
        "The skill held as many files, streams or requests open as it may.",
        "The skill's author should close what is no longer needed.";
    LimitRandom = "limit.random",
        "The skill asked for more random bytes in one step than the host makes.",
        "The skill's author should ask for less at once, or stretch a seed.";
    LimitLog = "limit.log",
        "The skill printed more than the log of a call keeps; the rest was dropped.",
        "The skill's author should log less.";
    LimitCompile = "limit.compile",
        "Reading or compiling the component took more time or memory than a component may cost.",
        "Use a smaller component; a well-built one compiles in seconds.";
    ApprovalDenied = "approval.denied",
        "A person refused the action, or nobody who could approve it was there.",
        "Ask the person for the reason.";
    ApprovalTooMany = "approval.too-many",
        "Too many actions wait for an answer already, of this agent or of all.",
        "Let a person decide what waits, then try again.";
    ApprovalTimeout = "approval.timeout",
        "Nobody decided in time, and no answer means no.",
        "Ask again when somebody is there to decide.";
    EffectTooLarge = "effect.too-large",
        "What was to be sent or written is judged as a whole before any of it leaves, and is larger than what is held back for that.",
        "Send or write less at once.";
    EffectFailed = "effect.failed",
        "What was held back to be judged could not be done as it was judged: something else changed the file meanwhile, the disk refused it, or the call was over.",
        "Look at the file, then call the tool again.";
    OutputBlocked = "output.blocked",
        "What was about to leave holds what a rule forbids: `Never output: …` of SOUL.md, or `[outputs]` of gateway.toml. It was found as it stands or in an encoding. Or it cannot be judged to its end: too large, or packed.",
        "Take the content out. If it may leave there, the operator changes the rule's action for that place; `docs/oversight.md` says how.";
    BreakerOpen = "breaker.open",
        "A breaker tripped on an anomaly and stays open until an operator closes it.",
        "Look at the anomaly, then `soulbound agents reset`.";
    AgentStopped = "agent.stopped",
        "The agent is disabled.",
        "`soulbound agents enable` starts it again.";
    GatewayStopped = "gateway.stopped",
        "An operator stopped everything under this state folder. Nothing runs until it is started again.",
        "`soulbound gateway start`, when the reason for the stop is gone.";
    AuditUnavailable = "audit.unavailable",
        "The action could not be recorded, and what is not recorded does not run.",
        "Make the state folder writable again: free space, permissions.";
    GuestTrap = "guest.trap",
        "The skill crashed. Its sandbox is gone; the next call starts afresh.",
        "The skill's author can see where in the trap's text and the log.";
    GuestExit = "guest.exit",
        "The skill tried to end the program with an exit code. It ended only its own call.",
        "The skill's author should return an error instead.";
    GuestProcess = "guest.process",
        "The process that the skill's calls run in ended, or could not be started: the engine crashed, the machine's memory ran out, or the guest got out of the engine and was ended by the kernel's walls at what no guest needs. Only the calls in it are gone.",
        "Calling again starts another. The message says what ended it: after `SIGSYS`, look at the skill before it is called again.";
    Busy = "busy",
        "Too many calls are waiting already.",
        "Try again in a moment.";
}
