//! A review as a person reads it: who, what each skill may do, what that reaches, which rules hold, what is wrong.

use soulbound_runtime::grant::Capability;
use soulbound_runtime::skill::Origin;
use soulbound_runtime::soul::{Diagnostic, SkillView, Standing};
use soulbound_runtime::visible;

use super::{Review, ReviewedSkill};
use crate::style::Style;

/// For whom a review is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form<'a> {
    /// `check`: for whoever writes the SOUL.md.
    Check,
    /// The grant card, for whoever is asked to trust it: what each skill's author says stands beside what it may do.
    Card {
        /// What would be trusted; none when there are errors.
        digest: Option<&'a str>,
    },
}

/// All of it as text.
pub(crate) fn page(review: &Review, named: &str, form: Form<'_>, style: Style) -> String {
    let mut page = Page { lines: Vec::new(), style, form };
    page.whole(review, named);
    page.lines.join("\n")
}

struct Page<'a> {
    lines: Vec<String>,
    style: Style,
    form: Form<'a>,
}

impl Page<'_> {
    fn line(&mut self, text: impl Into<String>) {
        self.lines.push(text.into());
    }

    fn heading(&mut self, text: &str) {
        self.line(format!("\n{}", self.style.bold(text)));
    }

    fn whole(&mut self, review: &Review, named: &str) {
        let (view, style) = (&review.view, self.style);
        if let Some(agent) = &view.agent {
            let role =
                agent.role.as_ref().map(|role| format!(", {}", visible::line(role))).unwrap_or_default();
            self.line(style.bold(&format!("{} ({}){role}", visible::line(&agent.name), agent.id)));
            self.line(format!("  {}", visible::line(named)));
            if let Some(model) = &agent.model {
                self.line(format!("  model {}", visible::line(model)));
            }
            if let Form::Card { digest: Some(digest) } = self.form {
                self.line(format!("  digest {digest}"));
                self.line(self.style.dim("  `soulbound redteam` attacks these grants before you trust them"));
            }
            self.skills(review);
            self.reach(review);
            self.rules(review);
            self.channels(review);
        }
        self.diagnostics("warnings", &view.warnings, Style::yellow);
        self.diagnostics("errors", &view.errors, Style::red);
        self.verdict(view.errors.len(), view.warnings.len());
    }

    fn verdict(&mut self, errors: usize, warnings: usize) {
        let style = self.style;
        let text = match (errors, warnings) {
            (0, _) if matches!(self.form, Form::Card { .. }) => return,
            (0, 0) => style.green("ok"),
            (0, warnings) => format!("{}, {}", style.green("ok"), counted(warnings, "warning")),
            (errors, warnings) => style.red(&format!(
                "{}, {}; nothing of the file is used until it is mended",
                counted(errors, "error"),
                counted(warnings, "warning")
            )),
        };
        self.line(format!("\n{text}"));
    }

    fn skills(&mut self, review: &Review) {
        self.heading("skills");
        if review.view.skills.is_empty() {
            self.line("  none: this agent can only talk");
        }
        for skill in &review.view.skills {
            self.line(format!("  {}  {}", self.style.bold(&skill.name), visible::line(&skill.purpose)));
            let seen = review.skill(&skill.name);
            let is_card = matches!(self.form, Form::Card { .. });
            if let (true, Some(seen)) = (is_card, seen) {
                self.line(format!("    says     {}", visible::line(seen.says())));
            }
            let channels = seen.filter(|seen| seen.sends()).map(|_| review.view.reach.channels.clone());
            for (index, (key, entries)) in granted(skill, channels).into_iter().enumerate() {
                let text = visible::line(&entries.join(", "));
                match (is_card, index) {
                    (false, _) => self.line(format!("    {key:8} {text}")),
                    (true, 0) => self.line(format!("    may      {key:8} {text}")),
                    (true, _) => self.line(format!("             {key:8} {text}")),
                }
            }
            if let Some(seen) = seen {
                if is_card {
                    self.through_links(seen);
                }
                self.component(seen);
            }
        }
    }

    /// Directories whose path goes through a link: what is granted is where it leads.
    fn through_links(&mut self, seen: &ReviewedSkill) {
        for opened in &seen.opened {
            let written = opened.grant.location();
            if written != "." && !opened.real.ends_with(written.trim_start_matches('/')) {
                let real = visible::line(&opened.real.display().to_string());
                self.line(
                    self.style.yellow(&format!("    through a link: `{}` is {real}", opened.grant.path)),
                );
            }
        }
    }

    fn component(&mut self, seen: &ReviewedSkill) {
        let style = self.style;
        let origin = match seen.origin {
            Origin::State => "state folder (through the gateway only)".to_owned(),
            other => other.to_string(),
        };
        self.line(style.dim(&format!("    from     {origin}, sha256 {}", seen.folder.digest)));
        for import in &seen.imports {
            let standing = serde_json::to_value(import.standing).unwrap_or_default();
            self.line(style.dim(&format!(
                "    imports  {} ({}: {})",
                visible::line(&import.interface),
                import.capability.map_or("-", Capability::name),
                standing.as_str().unwrap_or_default()
            )));
        }
        if !seen.tools.is_empty() {
            self.line(style.dim(&format!("    tools    {}", seen.tools.join(", "))));
        }
    }

    fn reach(&mut self, review: &Review) {
        let reach = &review.view.reach;
        self.heading("reach of the agent, since the model can carry data from one skill to another");
        let rows = [
            ("reads", &reach.read),
            ("writes", &reach.write),
            ("creates", &reach.create),
            ("hosts", &reach.hosts),
            ("channels", &reach.channels),
        ];
        if rows.iter().all(|(_, places)| places.is_empty()) {
            self.line("  nothing");
        }
        for (name, places) in rows.into_iter().filter(|(_, places)| !places.is_empty()) {
            self.line(format!("  {name:9}{}", visible::line(&places.join(", "))));
        }
        for flow in &reach.flows {
            self.line(format!("  {}", visible::line(&flow.sentence())));
        }
    }

    fn rules(&mut self, review: &Review) {
        if review.view.rules.is_empty() {
            return;
        }
        self.heading("rules");
        let style = self.style;
        for rule in &review.view.rules {
            let (name, painted): (&str, fn(Style, &str) -> String) = match rule.standing {
                Standing::Enforced => ("enforced", Style::green),
                Standing::Partly => ("partly", Style::yellow),
                Standing::Contradicts => ("contradicts", Style::red),
                Standing::Advisory => ("advisory", Style::dim),
            };
            self.line(format!("  {} {}", painted(style, &format!("{name:11}")), visible::line(&rule.text)));
            self.line(style.dim(&format!("              {}", visible::line(&rule.by))));
        }
    }

    fn channels(&mut self, review: &Review) {
        if review.view.channels.is_empty() {
            return;
        }
        self.heading("channels");
        for channel in &review.view.channels {
            let name = format!("{}: {}", channel.kind, channel.target);
            let leads = match review.bound.get(&name) {
                Some(bound) => bound.sentence(),
                None => "not bound by the operator".to_owned(),
            };
            self.line(format!("  {}  {}", visible::line(&name), visible::line(&leads)));
        }
    }

    fn diagnostics(&mut self, title: &str, list: &[Diagnostic], paint: fn(Style, &str) -> String) {
        if list.is_empty() {
            return;
        }
        self.heading(title);
        for one in list {
            let text = one.to_string();
            let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
            self.line(paint(self.style, first));
            if !rest.is_empty() {
                self.line(rest);
            }
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The grants in the order of the contract, without those that there are none of. `channels` are those of a skill that
/// sends.
fn granted(skill: &SkillView, channels: Option<Vec<String>>) -> Vec<(&'static str, Vec<String>)> {
    let directories = |views: &[soulbound_runtime::soul::DirectoryView]| {
        views
            .iter()
            .map(|view| {
                format!("{} as {}{}", view.dir, view.guest, if view.hidden { " (hidden)" } else { "" })
            })
            .collect()
    };
    let mut granted: Vec<(&str, Vec<String>)> = vec![
        ("read", directories(&skill.read)),
        ("write", directories(&skill.write)),
        ("create", directories(&skill.create)),
        ("hosts", skill.hosts.clone()),
        ("channels", channels.unwrap_or_default()),
        ("env", skill.env.clone()),
        ("secrets", skill.secrets.clone()),
        ("approve", skill.approve.clone()),
        ("limit", skill.limits.clone()),
        ("refuse", skill.refuse.clone()),
        ("sha256", skill.sha256.iter().cloned().collect()),
    ];
    granted.retain(|(_, entries)| !entries.is_empty());
    if granted.is_empty() {
        granted.push(("grants", vec!["nothing: it may only compute".to_owned()]));
    }
    granted
}
