//! How to take away a client's other ways out, so that what its model does is done through Soulbound. A client's own shell
//! is a way around every grant. Only what is known of a client stands here; for the others it is said that nothing is.

use serde_json::json;

use crate::cli::mcp::clients::Client;

/// What leaves the model with this agent's tools, as far as that can be had.
pub(super) struct Only {
    /// To paste; none where nothing is known.
    pub(super) paste: Option<String>,
    /// Where, and what stays open.
    pub(super) place: &'static str,
}

impl Client {
    /// How to leave this client's model with the tools of the server `name`.
    pub(super) fn only(self, name: &str) -> Only {
        match self {
            // A list of what is allowed blocks everything else; a denial would win over it.
            Self::Openclaw => Only {
                paste: Some(format!("{:#}", json!({"tools": {"allow": [format!("{name}__*")]}}))),
                place: "merge this into ~/.openclaw/openclaw.json; it blocks every other tool, those of other servers too",
            },
            Self::ClaudeCode => Only {
                paste: Some(format!(
                    "{:#}",
                    json!({"permissions": {"deny": [
                        "Bash", "Read", "Edit", "Write", "NotebookEdit", "Glob", "Grep", "WebFetch", "WebSearch", "Task",
                    ]}})
                )),
                place: "merge this into .claude/settings.json; still open: other MCP servers (start it with --strict-mcp-config to have \
                        only those of --mcp-config), and tools that a later version adds",
            },
            Self::Gemini => Only {
                paste: Some(format!(
                    "{:#}",
                    json!({"mcp": {"allowed": [name]}, "tools": {"exclude": [
                        "run_shell_command", "read_file", "read_many_files", "write_file", "replace", "list_directory", "glob",
                        "search_file_content", "grep_search", "web_fetch", "google_web_search", "save_memory",
                    ]}})
                )),
                place: "merge this into ~/.gemini/settings.json; still open: tools that a later version adds",
            },
            Self::ClaudeDesktop => Only {
                paste: None,
                place: "Claude Desktop has no shell of its own; still open: its other servers and connectors, which only its settings remove",
            },
            Self::Mcporter => Only {
                paste: None,
                place: "mcporter is run from a shell, and whoever has that shell has a way around Soulbound",
            },
            Self::Ollmcp => Only {
                paste: None,
                place: "ollmcp has no tools of its own; still open: other servers, which it finds by itself unless it is started with --servers-json alone",
            },
            Self::Cursor | Self::Vscode | Self::Codex | Self::Windsurf => Only {
                paste: None,
                place: "no setting of this client is known that takes its own shell and file tools away; assume that it has a way around Soulbound",
            },
        }
    }
}
