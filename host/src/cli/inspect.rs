//! `soulbound inspect SKILL.wasm|DIR [--against SOUL.md]`: what a component asks for, and what it would get.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use soulbound_runtime::compile::Compiler;
use soulbound_runtime::grant::Grant;
use soulbound_runtime::skill::{Annotations, Inspection, JudgedImport, SkillFolder, Standing, imports};
use soulbound_runtime::visible;

use crate::agent::Subject;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::standard;
use crate::state::StateFolder;
use crate::style::Style;

/// Show a component's imports as capabilities, its tools with their schemas, and its digest
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound inspect target/skills/browser --against examples/guardian/SOUL.md\n  soulbound inspect my-skill.wasm --wit"
)]
pub(super) struct Inspect {
    /// A component, or a skill's folder; or a standard skill's name
    #[arg(value_name = "SKILL.wasm|DIR|NAME")]
    skill: PathBuf,
    /// Hold its imports against what this SOUL.md, or this agent, grants it
    #[arg(long, value_name = "SOUL.md|AGENT")]
    against: Option<String>,
    /// The skill's name in that SOUL.md, when it is not the folder's or the file's
    #[arg(long, value_name = "NAME", requires = "against")]
    skill_name: Option<String>,
    /// Print the component's world as WIT
    #[arg(long)]
    wit: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(self) -> Result<Exit> {
        let folder = read(&self.skill)?;
        let inspection = Compiler::of_this_program()
            .inspect(&folder)
            .with_context(|| format!("`{}`", self.skill.display()))?;
        let grant = self.against.as_deref().map(|soul| self.grant(soul, &folder)).transpose()?;
        let judged: Vec<JudgedImport> =
            inspection.imports.iter().map(|import| imports::judge(import, grant.as_ref())).collect();
        let would_load =
            judged.iter().all(|import| !matches!(import.standing, Standing::Missing | Standing::Unknown));
        if self.json {
            super::print_json(&document(&folder, &inspection, &judged, grant.as_ref()))?;
        } else if self.wit {
            super::print(&inspection.wit.lines().map(visible::line).collect::<Vec<_>>().join("\n"));
        } else {
            report(&folder, &inspection, &judged, grant.as_ref());
        }
        // Without a SOUL.md to hold it against there is nothing to find.
        Ok(if grant.is_none() || would_load { Exit::Done } else { Exit::Refused })
    }

    fn grant(&self, soul: &str, folder: &SkillFolder) -> Result<Grant> {
        let state = StateFolder::find()?;
        let subject = Subject::of(soul, &state, &Settings::read(&state)?)?;
        let own = match (&self.skill_name, &folder.manifest) {
            (Some(name), _) => name.clone(),
            (None, Some(manifest)) => manifest.name.clone(),
            (None, None) => {
                folder.component_path.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-")
            }
        };
        match subject.soul.skill(&own) {
            Some(entry) => Ok(entry.grant.clone()),
            None => bail!(
                "{} lists no skill `{}`\n  hint: name the one to hold it against with `--skill-name`",
                subject.named,
                visible::line(&own)
            ),
        }
    }
}

fn read(path: &Path) -> Result<SkillFolder> {
    // Through links: the operator named it. What is there goes before a name.
    let path = match std::fs::canonicalize(path) {
        Ok(there) => there,
        Err(error) => match standard_skill(path) {
            Some(folder) => folder,
            None => bail!(
                "`{}` cannot be read: {error}\n  hint: a component, a skill's folder, or a standard skill by its name: {}",
                path.display(),
                standard_names().join(", ")
            ),
        },
    };
    if !path.is_dir() {
        return Ok(SkillFolder::read_bare(&path)?);
    }
    let is_agents = path.join("SOUL.md").is_file() && !path.join("SKILL.md").exists();
    anyhow::ensure!(
        !is_agents,
        "`{}` is an agent's folder, not a skill's\n  hint: soulbound check {}/SOUL.md, or a folder below its `skills`",
        path.display(),
        path.display()
    );
    Ok(SkillFolder::read(&path)?)
}

/// The folder of the standard skill of this name. Held against the names that there are, so that it leads nowhere else.
fn standard_skill(name: &Path) -> Option<PathBuf> {
    let known = standard_names().into_iter().find(|known| Path::new(known) == name)?;
    Some(standard::skills()?.join(known))
}

/// Which standard skills there are.
fn standard_names() -> Vec<String> {
    let entries = standard::skills().and_then(|folder| std::fs::read_dir(folder).ok());
    let names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name().into_string());
    let mut names: Vec<String> = names.flatten().collect();
    names.sort();
    names
}

fn document(
    folder: &SkillFolder,
    inspection: &Inspection,
    judged: &[JudgedImport],
    grant: Option<&Grant>,
) -> serde_json::Value {
    let annotations = Annotations::of(judged, grant);
    let tools: Vec<_> = inspection
        .tools
        .iter()
        .map(|tool| {
            json!({"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema,
                "outputSchema": tool.output_schema, "annotations": annotations})
        })
        .collect();
    json!({
        "digest": folder.digest, "bytes": folder.component.len(), "world": inspection.world, "imports": judged,
        "tools": tools, "not_tools": inspection.not_tools, "wit": inspection.wit,
    })
}

fn report(folder: &SkillFolder, inspection: &Inspection, judged: &[JudgedImport], grant: Option<&Grant>) {
    let style = Style::stdout();
    let title = match &folder.manifest {
        Some(manifest) => format!("{}  {}", manifest.name, visible::line(&manifest.description)),
        None => visible::line(&folder.component_path.display().to_string()),
    };
    super::print(&style.bold(&title));
    super::print(&format!("  world    {}", visible::line(&inspection.world)));
    super::print(&format!("  digest   sha256 {} ({} bytes)", folder.digest, folder.component.len()));
    let heading =
        if grant.is_some() { "imports, against the grant" } else { "imports: its request for authority" };
    super::print(&format!("\n{}", style.bold(heading)));
    if judged.is_empty() {
        super::print("  none: it can only compute");
    }
    for import in judged {
        let capability = import.capability.map_or("-", soulbound_runtime::grant::Capability::name);
        let standing = match import.standing {
            Standing::Inert => style.dim("inert  "),
            Standing::Granted => style.green("granted"),
            Standing::Refused => style.yellow("refused"),
            Standing::Missing => style.red("missing"),
            Standing::Unknown => style.red("unknown"),
        };
        super::print(&format!("  {standing}  {capability:8} {}", visible::line(&import.interface)));
    }
    if let Some(grant) = grant.filter(|grant| !grant.secrets.is_empty()) {
        super::print(&format!("\n{}", style.bold("secrets, added by the host and never the component's")));
        for secret in &grant.secrets {
            super::print(&format!("  {}", visible::line(&secret.to_string())));
        }
    }
    super::print(&format!("\n{}", style.bold("tools")));
    for tool in &inspection.tools {
        super::print(&format!("  {}({})", style.bold(&tool.name), tool.parameters.join(", ")));
        for line in tool.description.lines() {
            super::print(&format!("      {}", visible::line(line)));
        }
    }
    for (name, why) in &inspection.not_tools {
        super::print(&style.dim(&format!("  {} is no tool: {}", visible::line(name), visible::line(why))));
    }
    super::print(&style.dim("\n`--json` adds the schemas, `--wit` prints the world"));
}
