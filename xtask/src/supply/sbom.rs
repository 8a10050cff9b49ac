//! The bill of materials of the program `soulbound`: CycloneDX 1.5, from cargo's own answers and Cargo.lock.
//!
//! The rule: the same lock file and target give the same bytes, so no time, no random number and no path of this machine stands in
//! it. What is linked has the scope `required`, what only ran while building (build scripts, macros) `excluded`. Rust's own
//! library is in the program as well and in no lock file, so it is not listed; neither are the skills, which are files beside it.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use spdx::Expression;

use super::lock::Lock;
use super::packages::{self, Package, Packages, Part, Parts};
use super::rules::REGISTRY;
use crate::setup::root;

const PROGRAM: &str = "soulbound";

/// Prints it for this machine, or for the target that is named.
pub(crate) fn print() -> Result<()> {
    let target = match std::env::args().nth(2) {
        Some(target) => target,
        None => packages::this_machine()?,
    };
    println!("{}", serde_json::to_string_pretty(&bill(&target)?)?);
    Ok(())
}

fn bill(target: &str) -> Result<Value> {
    let folder = root();
    let lock = Lock::read(&std::fs::read_to_string(folder.join("Cargo.lock"))?)?;
    let all = Packages::of(&folder, target)?;
    let built = packages::built(&folder, PROGRAM, target)?;
    document(&all.parts_of(PROGRAM, &built)?, &lock, target)
}

fn document(parts: &Parts<'_>, lock: &Lock, target: &str) -> Result<Value> {
    let mut entries: Vec<_> = parts.values().collect();
    entries.sort_by_key(|(package, _, _)| reference(package));
    let (mut program, mut components, mut dependencies) = (None, Vec::new(), Vec::new());
    for (package, part, needs) in entries {
        let mut below: Vec<String> =
            needs.iter().filter_map(|id| Some(reference(parts.get(id)?.0))).collect();
        below.sort();
        dependencies.push(json!({"ref": reference(package), "dependsOn": below}));
        if package.name == PROGRAM && package.source.is_none() {
            program = Some(component(package, "application", None, lock)?);
        } else {
            components.push(component(package, "library", Some(*part), lock)?);
        }
    }
    let program = program.with_context(|| format!("there is no `{PROGRAM}` here"))?;
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": program,
            "properties": [{"name": "soulbound:target", "value": target}],
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(package: &Package, kind: &str, part: Option<Part>, lock: &Lock) -> Result<Value> {
    let Package { name, version, .. } = package;
    let licence = package.license.as_deref().with_context(|| format!("{name} {version} names no licence"))?;
    // Older crates write `MIT/Apache-2.0`, which is no SPDX expression.
    let licence = Expression::canonicalize(licence)
        .map_err(|error| anyhow::anyhow!("{name} {version}: `{licence}`: {error}"))?
        .unwrap_or_else(|| licence.to_owned());
    let mut entry = json!({
        "type": kind,
        "bom-ref": reference(package),
        "name": name,
        "version": version,
        "licenses": [{"expression": licence}],
    });
    let fields = entry.as_object_mut().context("a component is an object")?;
    if let Some(part) = part {
        let scope = match part {
            Part::Linked => "required",
            Part::Builds => "excluded",
        };
        fields.insert("scope".to_owned(), scope.into());
    }
    match package.source.as_deref() {
        // Our own are published nowhere: a purl would be that of whoever takes the name on crates.io.
        None => {}
        Some(REGISTRY) => {
            let checksum = lock.checksum(name, version, REGISTRY);
            let checksum =
                checksum.with_context(|| format!("{name} {version} has no checksum in Cargo.lock"))?;
            fields.insert("purl".to_owned(), purl(package).into());
            fields.insert("hashes".to_owned(), json!([{"alg": "SHA-256", "content": checksum}]));
        }
        Some(other) => bail!("{name} {version} comes from {other}"),
    }
    Ok(entry)
}

/// What the document calls a package: its purl, or name and version of one of our own.
fn reference(package: &Package) -> String {
    match package.source {
        Some(_) => purl(package),
        None => format!("{}@{}", package.name, package.version),
    }
}

/// A crate's name needs no escaping in a purl; a version's `+` does.
fn purl(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version.replace('+', "%2B"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn made() -> Value {
        bill("x86_64-unknown-linux-gnu").unwrap()
    }

    fn named<'a>(bill: &'a Value, name: &str) -> Vec<&'a Value> {
        bill["components"].as_array().unwrap().iter().filter(|one| one["name"] == name).collect()
    }

    #[test]
    fn it_lists_what_the_program_holds_and_nothing_that_only_tests_need() {
        let bill = made();
        for inside in
            ["wasmtime", "cranelift-codegen", "ring", "rustls", "tokio", "soulbound-runtime", "webpki-roots"]
        {
            assert_eq!(named(&bill, inside)[0]["scope"], "required", "{inside}");
        }
        for building in ["serde_derive", "cc"] {
            assert_eq!(named(&bill, building)[0]["scope"], "excluded", "{building}");
        }
        for outside in
            ["proptest", "insta", "criterion", "wat", "soulbound-tests", "xtask", "spdx", "windows-sys"]
        {
            assert_eq!(named(&bill, outside), Vec::<&Value>::new(), "{outside}");
        }
    }

    #[test]
    fn it_has_the_form_of_cyclonedx() {
        let bill = made();
        assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&json!("CycloneDX"), &json!("1.5")));
        assert_eq!(bill["metadata"]["component"]["name"], PROGRAM);
        assert_eq!(bill["metadata"]["component"]["type"], "application");
        let components = bill["components"].as_array().unwrap();
        assert!(components.len() > 200, "{}", components.len());
        let mut known: BTreeSet<&str> =
            components.iter().map(|one| one["bom-ref"].as_str().unwrap()).collect();
        assert_eq!(known.len(), components.len(), "each has a reference of its own");
        for one in components {
            assert_eq!(one["type"], "library");
            let expression = one["licenses"][0]["expression"].as_str().unwrap();
            Expression::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
            if one["name"] == "soulbound-runtime" {
                assert_eq!((&one["purl"], &one["hashes"]), (&Value::Null, &Value::Null));
                continue;
            }
            let version = one["version"].as_str().unwrap().replace('+', "%2B");
            assert_eq!(one["purl"], format!("pkg:cargo/{}@{version}", one["name"].as_str().unwrap()));
            let hash = &one["hashes"][0];
            assert_eq!(hash["alg"], "SHA-256");
            let digits = hash["content"].as_str().unwrap();
            assert!(digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{one}");
        }
        known.insert(bill["metadata"]["component"]["bom-ref"].as_str().unwrap());
        let dependencies = bill["dependencies"].as_array().unwrap();
        let described: BTreeSet<&str> = dependencies.iter().map(|one| one["ref"].as_str().unwrap()).collect();
        assert_eq!(described, known);
        let needed = dependencies.iter().flat_map(|one| one["dependsOn"].as_array().unwrap());
        let needed: BTreeSet<&str> = needed.map(|one| one.as_str().unwrap()).collect();
        let root = bill["metadata"]["component"]["bom-ref"].as_str().unwrap();
        assert!(needed.is_subset(&known) && known.iter().all(|one| *one == root || needed.contains(one)));
    }

    #[test]
    fn the_hash_is_the_one_that_cargo_checks() {
        let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
        let bill = made();
        let digest = named(&bill, "wasmtime")[0]["hashes"][0]["content"].as_str().unwrap();
        let version = named(&bill, "wasmtime")[0]["version"].as_str().unwrap();
        let entry = format!(
            "name = \"wasmtime\"\nversion = \"{version}\"\nsource = \"{REGISTRY}\"\nchecksum = \"{digest}\""
        );
        assert!(lock.contains(&entry));
    }

    #[test]
    fn the_same_lock_file_gives_the_same_bytes_and_no_place_of_this_machine() {
        let [one, other] = [made(), made()].map(|bill| bill.to_string());
        assert_eq!(one, other);
        assert!(!one.contains(root().to_str().unwrap()));
    }
}
