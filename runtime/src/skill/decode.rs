//! Reading a component's inside: its declared imports, its exports, its types.
//!
//! Runs in the compiling child process, on bytes that nobody has looked at yet. The list of imports is taken from
//! the component's own import sections, never from what a linker would need: an import of an empty instance links
//! against anything and is a request all the same.

use wasmparser::{Parser, Payload};
use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::{
    Function, FunctionKind, Resolve, SourceMap, UnresolvedPackageGroup, WorldId, WorldItem, WorldKey,
};

use crate::skill::content;
use crate::skill::inspection::{Import, Inspection, Tool};
use crate::skill::schema::{self, Documentation};
use crate::visible;

/// A description's length, in bytes.
const DESCRIPTION_BYTES: usize = 1 << 10;

/// Components and modules inside each other. Toolchains nest two or three; 20,000 took a compiler 55 s and 7.6 GiB.
const NESTING: u32 = 100;

/// A package as the texts of its files.
type PackageTexts = &'static [(&'static str, &'static str)];

/// Our own package and what it names, which a skill's `wit/` may use without carrying them along.
const OWN_PACKAGES: &[(&str, PackageTexts)] = &[
    (
        "soulbound:skill",
        &[
            ("channels.wit", include_str!("../../../wit/channels.wit")),
            ("content.wit", include_str!("../../../wit/content.wit")),
            ("log.wit", include_str!("../../../wit/log.wit")),
            ("progress.wit", include_str!("../../../wit/progress.wit")),
            ("self.wit", include_str!("../../../wit/self.wit")),
            ("worlds.wit", include_str!("../../../wit/worlds.wit")),
        ],
    ),
    (
        "wasi:filesystem",
        &[("filesystem.wit", include_str!("../../../wit/deps/wasi-filesystem/filesystem.wit"))],
    ),
    ("wasi:http", &[("http.wit", include_str!("../../../wit/deps/wasi-http/http.wit"))]),
];

/// Why a component, or the `wit/` beside it, cannot be read. The text is safe to show after escaping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreadable(pub(crate) String);

impl Unreadable {
    fn from(error: impl std::fmt::Display) -> Self {
        let text: String = error.to_string().chars().take(500).collect();
        Self(text)
    }
}

/// Reads a component, and `wit` (path below `wit/`, text), which is empty when there is no such folder.
pub(crate) fn decode(component: &[u8], wit: &[(String, String)]) -> Result<Inspection, Unreadable> {
    let declared = declared_imports(component)?;
    let (resolve, world) = match wit_component::decode(component)
        .map_err(|error| Unreadable::from(format!("{error:#}")))?
    {
        DecodedWasm::Component(resolve, world) => (resolve, world),
        DecodedWasm::WitPackage(..) => {
            return Err(Unreadable("this is a WIT package in binary form, which exports no function".into()));
        }
    };
    let imports = with_functions(declared, &resolve, world);
    let (mut tools, not_tools) = tools(&resolve, world, Documentation::Left)?;
    let mut world_name = world_name(&resolve, world);
    if !wit.is_empty() {
        let (documented, documented_world) = parse_wit(wit)?;
        world_name = self::world_name(&documented, documented_world);
        same_exports(&tools, &self::tools(&documented, documented_world, Documentation::Left)?.0)?;
        tools = self::tools(&documented, documented_world, Documentation::Kept)?.0;
    }
    Ok(Inspection { world: world_name, imports, tools, not_tools, wit: print(&resolve, world) })
}

/// The names and kinds in the outermost component's import sections.
fn declared_imports(component: &[u8]) -> Result<Vec<Import>, Unreadable> {
    let mut imports = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(Unreadable::from)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } if depth == NESTING => {
                return Err(Unreadable(format!("components are nested more than {NESTING} deep")));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(Unreadable::from)?;
                    imports.push(Import {
                        interface: import.name.name.to_owned(),
                        kind: kind(import.ty).to_owned(),
                        functions: Vec::new(),
                    });
                }
            }
            _ => {}
        }
    }
    Ok(imports)
}

fn kind(ty: wasmparser::ComponentTypeRef) -> &'static str {
    use wasmparser::ComponentTypeRef;
    match ty {
        ComponentTypeRef::Module(_) => "module",
        ComponentTypeRef::Func(_) => "func",
        ComponentTypeRef::Value(_) => "value",
        // A name for a type that is known already: every skill whose world has a record imports some. A type of unknown
        // shape is a resource, which somebody would have to implement.
        ComponentTypeRef::Type(wasmparser::TypeBounds::Eq(_)) => "type",
        ComponentTypeRef::Type(wasmparser::TypeBounds::SubResource) => "resource",
        ComponentTypeRef::Instance(_) => "instance",
        ComponentTypeRef::Component(_) => "component",
    }
}

fn with_functions(mut imports: Vec<Import>, resolve: &Resolve, world: WorldId) -> Vec<Import> {
    let Some(world) = resolve.worlds.get(world) else { return imports };
    for (key, item) in &world.imports {
        let name = resolve.name_world_key(key);
        let Some(import) = imports.iter_mut().find(|import| import.interface == name) else { continue };
        if let WorldItem::Interface { id, .. } = item
            && let Some(interface) = resolve.interfaces.get(*id)
        {
            import.functions = interface.functions.keys().cloned().collect();
        }
    }
    imports
}

fn world_name(resolve: &Resolve, world: WorldId) -> String {
    let Some(world) = resolve.worlds.get(world) else { return String::new() };
    match world.package {
        Some(package) => resolve.id_of_name(package, &world.name),
        None => world.name.clone(),
    }
}

/// The exported functions, and the exports that are no tools.
#[expect(clippy::type_complexity, reason = "two lists, each named where it is read")]
fn tools(
    resolve: &Resolve,
    world: WorldId,
    documentation: Documentation,
) -> Result<(Vec<Tool>, Vec<(String, String)>), Unreadable> {
    let mut tools = Vec::new();
    let mut others = Vec::new();
    let Some(world) = resolve.worlds.get(world) else { return Ok((tools, others)) };
    for (key, item) in &world.exports {
        let name = resolve.name_world_key(key);
        match item {
            // componentize-qjs exports `init`; componentize-py an instance `exports`: their own plumbing.
            WorldItem::Function(_) if name == "init" => {
                others.push((name, "a language runtime's own".to_owned()))
            }
            WorldItem::Function(function) => {
                add(&mut tools, &mut others, resolve, None, function, documentation)?;
            }
            WorldItem::Interface { .. } if name.starts_with("wasi:") || name == "exports" => {
                others.push((name, "a language runtime's own".to_owned()));
            }
            WorldItem::Interface { id, .. } => {
                let Some(interface) = resolve.interfaces.get(*id) else { continue };
                for function in interface.functions.values() {
                    add(&mut tools, &mut others, resolve, Some((key, &name)), function, documentation)?;
                }
            }
            WorldItem::Type { .. } => {}
        }
    }
    Ok((tools, others))
}

fn add(
    tools: &mut Vec<Tool>,
    others: &mut Vec<(String, String)>,
    resolve: &Resolve,
    interface: Option<(&WorldKey, &str)>,
    function: &Function,
    documentation: Documentation,
) -> Result<(), Unreadable> {
    let name = match interface {
        None => function.name.clone(),
        Some((key, full)) => format!("{}.{}", short_name(resolve, key, full), function.name),
    };
    if !matches!(function.kind, FunctionKind::Freestanding) {
        others.push((name, "a method of a resource, or asynchronous".to_owned()));
        return Ok(());
    }
    let (input_schema, output_schema) = match schema::of_function(resolve, function, documentation) {
        Ok(schemas) => schemas,
        Err(unrepresentable) => {
            others.push((name, unrepresentable.to_string()));
            return Ok(());
        }
    };
    let description = function.docs.contents.as_deref().unwrap_or_default().trim().to_owned();
    check_description(&name, &description)?;
    tools.push(Tool {
        name,
        interface: interface.map(|(_, full)| full.to_owned()),
        function: function.name.clone(),
        description,
        parameters: function.params.iter().map(|param| param.name.clone()).collect(),
        input_schema,
        output_schema,
        returns_content: content::is_returned(resolve, function),
    });
    Ok(())
}

/// A model reads descriptions: they are short, and what it reads is what a reviewer sees.
fn check_description(tool: &str, text: &str) -> Result<(), Unreadable> {
    if text.len() > DESCRIPTION_BYTES {
        return Err(Unreadable(format!(
            "the description of `{tool}` has {} bytes, {DESCRIPTION_BYTES} are allowed",
            text.len()
        )));
    }
    schema::check_text(text).map_err(|found| {
        Unreadable(format!("the description of `{tool}` holds {}", visible::quoted(&found.to_string(), 1)))
    })
}

fn short_name(resolve: &Resolve, key: &WorldKey, full: &str) -> String {
    match key {
        WorldKey::Name(name) => name.clone(),
        WorldKey::Interface(id) => {
            let name = resolve.interfaces.get(*id).and_then(|interface| interface.name.clone());
            name.unwrap_or_else(|| full.to_owned())
        }
    }
}

/// Parses the texts of a `wit/` folder: the package at its top, and those in `deps/`.
fn parse_wit(files: &[(String, String)]) -> Result<(Resolve, WorldId), Unreadable> {
    let wit_error = |error: String| Unreadable(format!("`wit/` does not parse: {}", error.trim()));
    let mut main = SourceMap::default();
    let mut deps: Vec<(&str, SourceMap)> = Vec::new();
    for (path, text) in files {
        match path.strip_prefix("deps/").map(|below| below.split('/').next().unwrap_or(below)) {
            None => main.push_str(path, text),
            Some(name) => match deps.iter_mut().find(|(other, _)| *other == name) {
                Some((_, map)) => map.push_str(path, text),
                None => {
                    let mut map = SourceMap::default();
                    map.push_str(path, text);
                    deps.push((name, map));
                }
            },
        }
    }
    let parse = |map: SourceMap| map.parse().map_err(|(_, error)| wit_error(format!("{error}")));
    let main = parse(main)?;
    let mut groups = deps.into_iter().map(|(_, map)| parse(map)).collect::<Result<Vec<_>, _>>()?;
    for (name, texts) in OWN_PACKAGES {
        if !groups.iter().any(|group| declares(group, name)) {
            let mut map = SourceMap::default();
            for (path, text) in *texts {
                map.push_str(path, *text);
            }
            groups.push(parse(map)?);
        }
    }
    let mut resolve = Resolve::default();
    let package = resolve.push_groups(main, groups).map_err(|error| wit_error(error.to_string()))?;
    let world = resolve.select_world(&[package], None).map_err(|error| wit_error(format!("{error:#}")))?;
    Ok((resolve, world))
}

fn declares(group: &UnresolvedPackageGroup, package: &str) -> bool {
    let name = &group.main.name;
    package.split_once(':') == Some((name.namespace.as_str(), name.name.as_str()))
}

/// The functions that `wit/` documents are those that the component exports, with the same types.
fn same_exports(component: &[Tool], documented: &[Tool]) -> Result<(), Unreadable> {
    let signature = |tool: &Tool| {
        (tool.name.clone(), tool.parameters.clone(), tool.input_schema.clone(), tool.output_schema.clone())
    };
    for tool in component {
        let Some(text) = documented.iter().find(|other| other.name == tool.name) else {
            return Err(Unreadable(format!(
                "the component exports `{}`, the world in `wit/` does not",
                tool.name
            )));
        };
        if signature(text) != signature(tool) {
            return Err(Unreadable(format!(
                "`{}` has other types in `wit/` than in the component",
                tool.name
            )));
        }
    }
    match documented.iter().find(|tool| !component.iter().any(|other| other.name == tool.name)) {
        Some(tool) => {
            Err(Unreadable(format!("the world in `wit/` exports `{}`, the component does not", tool.name)))
        }
        None => Ok(()),
    }
}

fn print(resolve: &Resolve, world: WorldId) -> String {
    let mut printer = WitPrinter::default();
    let Some(package) = resolve.worlds.get(world).and_then(|world| world.package) else {
        return String::new();
    };
    match printer.emit_docs(false).print(resolve, package, &[]) {
        Ok(()) => printer.output.to_string(),
        Err(_) => String::new(),
    }
}
