//! The clients that we know, and what each of them takes. Standard output is exactly what to paste; where it goes is talk.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// An MCP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Client {
    /// OpenClaw
    Openclaw,
    /// Claude Code
    ClaudeCode,
    /// Claude Desktop
    ClaudeDesktop,
    /// Cursor
    Cursor,
    /// Visual Studio Code
    Vscode,
    /// Gemini CLI
    Gemini,
    /// Codex
    Codex,
    /// Windsurf
    Windsurf,
    /// mcporter
    Mcporter,
    /// ollmcp, a client for Ollama's models
    Ollmcp,
}

/// How the client reaches the agent.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// It starts this command.
    Command {
        /// The program.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// It sends requests.
    Http {
        /// The agent's endpoint.
        url: String,
        /// What stands in `Authorization`, with a place for the token.
        authorization: String,
    },
}

/// What to paste, and where.
pub(super) struct Recipe {
    /// Exactly this.
    pub(super) paste: String,
    /// There.
    pub(super) place: &'static str,
}

const TERMINAL: &str = "run this in a terminal";

impl Client {
    /// The recipe; none when the client cannot reach an agent that way.
    pub(super) fn recipe(self, name: &str, way: &Way) -> Option<Recipe> {
        let (paste, place) = match (self, way) {
            (Self::Openclaw, Way::Command { program, arguments }) => {
                let mut words = vec!["openclaw", "mcp", "add", name, "--command", program];
                words.extend(arguments.iter().flat_map(|argument| ["--arg", argument]));
                (shell(&words), TERMINAL)
            }
            (Self::Openclaw, Way::Http { url, authorization }) => {
                let server = json!({"url": url, "transport": "streamable-http", "headers": {"Authorization": authorization}});
                (
                    pretty(&json!({"mcp": {"servers": {name: server}}})),
                    "merge this into ~/.openclaw/openclaw.json",
                )
            }
            (Self::ClaudeCode, Way::Command { program, arguments }) => {
                let mut words = vec!["claude", "mcp", "add", name, "--", program];
                words.extend(arguments.iter().map(String::as_str));
                (shell(&words), TERMINAL)
            }
            (Self::ClaudeCode, Way::Http { url, authorization }) => {
                let header = format!("Authorization: {authorization}");
                (
                    shell(&["claude", "mcp", "add", "--transport", "http", name, url, "--header", &header]),
                    TERMINAL,
                )
            }
            (Self::Vscode, Way::Command { program, arguments }) => {
                let server = json!({"name": name, "command": program, "args": arguments});
                (shell(&["code", "--add-mcp", &server.to_string()]), TERMINAL)
            }
            (Self::Vscode, Way::Http { url, authorization }) => {
                let server = json!({"name": name, "type": "http", "url": url, "headers": {"Authorization": authorization}});
                (shell(&["code", "--add-mcp", &server.to_string()]), TERMINAL)
            }
            (Self::Codex, Way::Command { program, arguments }) => (
                codex(name, &json!({"command": program, "args": arguments})),
                "add this to ~/.codex/config.toml",
            ),
            (Self::Codex, Way::Http { url, .. }) => (
                codex(name, &json!({"url": url, "bearer_token_env_var": "SOULBOUND_TOKEN"})),
                "add this to ~/.codex/config.toml, and set SOULBOUND_TOKEN to the agent's token",
            ),
            // Its file takes commands only; remote servers are added in its settings, which need https.
            (Self::ClaudeDesktop, Way::Http { .. }) => return None,
            (_, way) => (pretty(&json!({"mcpServers": {name: self.entry(way)}})), self.file()),
        };
        Some(Recipe { paste, place })
    }

    /// An entry of `mcpServers`, which most clients share but for a key or two.
    fn entry(self, way: &Way) -> Value {
        let mut entry = Map::new();
        match way {
            Way::Command { program, arguments } => {
                entry.insert("type".to_owned(), "stdio".into());
                entry.insert("command".to_owned(), program.as_str().into());
                entry.insert("args".to_owned(), json!(arguments));
            }
            Way::Http { url, authorization } => {
                let key = match self {
                    Self::Gemini => "httpUrl",
                    Self::Windsurf => "serverUrl",
                    Self::Mcporter => "baseUrl",
                    _ => {
                        entry.insert("type".to_owned(), "http".into());
                        "url"
                    }
                };
                entry.insert(key.to_owned(), url.as_str().into());
                entry.insert("headers".to_owned(), json!({"Authorization": authorization}));
            }
        }
        Value::Object(entry)
    }

    fn file(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => {
                "merge this into claude_desktop_config.json (Settings, Developer, Edit Config), and start Claude Desktop again"
            }
            Self::Cursor => "merge this into .cursor/mcp.json of a project, or ~/.cursor/mcp.json for all",
            Self::Gemini => "merge this into ~/.gemini/settings.json",
            Self::Windsurf => "merge this into ~/.codeium/windsurf/mcp_config.json",
            Self::Mcporter => {
                "merge this into config/mcporter.json of a project, or ~/.mcporter/mcporter.json for all"
            }
            Self::Ollmcp => "put this into a file, and start `ollmcp --servers-json FILE`",
            // Those above have their own forms.
            Self::Openclaw | Self::ClaudeCode | Self::Vscode | Self::Codex => {
                "merge this into the client's MCP settings"
            }
        }
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// A table of Codex's file. Strings and lists of strings are the same in JSON and in TOML.
fn codex(name: &str, table: &Value) -> String {
    let lines = table.as_object().into_iter().flatten().map(|(key, value)| format!("{key} = {value}"));
    std::iter::once(format!("[mcp_servers.{name}]")).chain(lines).collect::<Vec<_>>().join("\n")
}

/// Words as a shell reads them back.
fn shell(words: &[&str]) -> String {
    let plain = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte))
    };
    let quoted = words.iter().map(|word| {
        if plain(word) { (*word).to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Way {
        let arguments = ["mcp", "serve", "--agent", "echo"].map(str::to_owned).to_vec();
        Way::Command { program: "/opt/my tools/soulbound".to_owned(), arguments }
    }

    #[test]
    fn what_to_paste_for_each_client() {
        let http = Way::Http {
            url: "http://127.0.0.1:7685/agents/echo/mcp".to_owned(),
            authorization: "Bearer TOKEN".to_owned(),
        };
        let mut all = String::new();
        for client in Client::value_variants() {
            for way in [&command(), &http] {
                let shown = client.recipe("echo", way).map_or_else(
                    || "(not possible)".to_owned(),
                    |recipe| format!("# {}\n{}", recipe.place, recipe.paste),
                );
                all.push_str(&format!("=== {client:?}\n{shown}\n"));
            }
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn a_shell_reads_the_words_back() {
        let words = ["printf", "%s\n", "it's", "a b", "$HOME", "`x`", "", r"\"];
        let output = std::process::Command::new("sh").arg("-c").arg(shell(&words)).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "it's\na b\n$HOME\n`x`\n\n\\\n");
    }

    #[test]
    fn codex_reads_its_table_back() {
        let Some(recipe) = Client::Codex.recipe("echo", &command()) else { panic!() };
        let table: toml::Table = toml::from_str(&recipe.paste).unwrap();
        assert_eq!(table["mcp_servers"]["echo"]["command"].as_str(), Some("/opt/my tools/soulbound"));
    }
}
