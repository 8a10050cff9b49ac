//! Flows: what one skill may read and another may send or write, carried from the one to the other as a model would carry it.
//! It is within the grants, so it is residual; it is carried out for real, so that what is reported is what happens.

use std::fs;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use soulbound_runtime::grant::DirectoryMode;
use soulbound_runtime::sandbox::{Ending, Outcome};

use super::attack::{Attack, Class, ProbeKind};
use super::canary::{Canary, Search};
use super::oracle::Verdict;
use super::plan::network::Open;
use super::plan::paths::at;
use super::probe::Target;
use super::report::Finding;
use super::scratch::{Given, INSIDE, Scratch};
use super::strike::Ear;

/// Where a carried canary is put.
const CARRIED: &str = "rt-carried.txt";

/// Every flow between two skills of the agent.
pub(super) async fn attacks(targets: &[Target], scratch: &Scratch) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in targets {
        for from in source.given.iter().filter(|given| given.mode != DirectoryMode::Create) {
            let Some(canary) = scratch.inside(from) else { continue };
            for sink in targets.iter().filter(|sink| sink.name != source.name) {
                found.extend(to_hosts(source, from, canary, sink).await);
                found.extend(to_directories(source, from, canary, sink, targets).await);
            }
        }
    }
    found
}

/// What the first skill reads, if it does.
async fn read(source: &Target, from: &Given, canary: &Canary) -> Option<String> {
    let outcome = call(
        source,
        ProbeKind::Files,
        "files",
        json!({"steps": [{"act": "read", "path": at(from, INSIDE)}]}),
    )
    .await?;
    let Ending::Returned(value) = outcome.ending else { return None };
    let text = value.pointer("/0/ok").and_then(Value::as_str)?.to_owned();
    text.contains(&canary.text).then_some(text)
}

async fn to_hosts(source: &Target, from: &Given, canary: &Canary, sink: &Target) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, grant) in sink.entry.grant.hosts.iter().enumerate() {
        let Some((open, text)) = Open::of(grant).zip(read(source, from, canary).await) else { continue };
        sink.stub.set(&open.contact());
        let mut request = open.request();
        if let Some(request) = request.as_object_mut() {
            request.insert("path".to_owned(), json!(format!("/{}", text.trim().replace(' ', "-"))));
        }
        call(sink, ProbeKind::Http, "fetch", json!({"requests": [request]})).await;
        let arrived = Search::new(vec![canary.clone()])
            .is_ok_and(|search| search.found(&sink.stub.take().text()).is_some());
        let id = format!("flow-host-{number}@{}{}", source.name, from.guest);
        let to = format!("what `{}` reads in {} reaches {}", source.name, from.guest, grant.text());
        found.push(finding(&id, "what one skill reads, another sends", sink, arrived, to));
    }
    found
}

/// To a directory that somebody reads who could not read where it came from.
async fn to_directories(
    source: &Target,
    from: &Given,
    canary: &Canary,
    sink: &Target,
    all: &[Target],
) -> Vec<Finding> {
    let mut found = Vec::new();
    for to in sink.given.iter().filter(|given| given.mode != DirectoryMode::Read && given.at != from.at) {
        let reads = |target: &Target, at: &std::path::Path| {
            target.given.iter().any(|given| given.mode != DirectoryMode::Create && at.starts_with(&given.at))
        };
        let reader = all.iter().find(|reader| reads(reader, &to.at) && !reads(reader, &from.at));
        let Some((reader, text)) = reader.zip(read(source, from, canary).await) else { continue };
        let step = json!({"act": "write", "path": at(to, CARRIED), "data": text});
        call(sink, ProbeKind::Files, "files", json!({"steps": [step]})).await;
        let arrived = fs::read_to_string(to.at.join(CARRIED)).is_ok_and(|text| text.contains(&canary.text));
        // What was carried is no finding of the attacks that come after.
        let _ = fs::remove_file(to.at.join(CARRIED));
        let id = format!("flow-directory{}@{}{}", to.guest.replace('/', "-"), source.name, from.guest);
        let said = format!(
            "what `{}` reads in {} reaches {}, which `{}` reads",
            source.name, from.guest, to.guest, reader.name
        );
        found.push(finding(
            &id,
            "what one skill reads, another writes where a third reads",
            sink,
            arrived,
            said,
        ));
    }
    found
}

async fn call(target: &Target, kind: ProbeKind, tool: &str, arguments: Value) -> Option<Outcome> {
    let arguments: Map<String, Value> = serde_json::from_value(arguments).ok()?;
    Some(target.probe(kind)?.call(tool, arguments, Arc::new(Ear::default())).await)
}

fn finding(id: &str, what: &str, sink: &Target, arrived: bool, said: String) -> Finding {
    let attack = Attack::new(Class::Exfiltration, id, what, "flow", Value::Null);
    Finding::of(sink, &attack, if arrived { Verdict::Residual(said) } else { Verdict::NoEffect })
}
