//! Whether a tool returns `list<content>` of `soulbound:skill/content`, which an MCP client is shown piece by piece.
//!
//! The type is known by where it is defined, not by its shape: a skill's own variant that happens to look alike stays a
//! value like any other. What a component declares under that name may still have another shape; whoever shows the
//! pieces reads each of them strictly.

use wit_parser::{Function, Resolve, Type, TypeDef, TypeDefKind, TypeOwner};

/// Whether the function returns `list<content>`, or a `result` of it.
pub(crate) fn is_returned(resolve: &Resolve, function: &Function) -> bool {
    let returned = function.result.and_then(|ty| definition(resolve, ty));
    let list = match returned.map(|definition| &definition.kind) {
        Some(TypeDefKind::Result(result)) => result.ok.and_then(|ty| definition(resolve, ty)),
        _ => returned,
    };
    let Some(TypeDefKind::List(item)) = list.map(|definition| &definition.kind) else { return false };
    definition(resolve, *item).is_some_and(|item| is_content(resolve, item))
}

/// What a type is, aliases followed.
fn definition(resolve: &Resolve, ty: Type) -> Option<&TypeDef> {
    let Type::Id(id) = ty else { return None };
    let definition = resolve.types.get(id)?;
    match definition.kind {
        TypeDefKind::Type(inner) => self::definition(resolve, inner),
        _ => Some(definition),
    }
}

fn is_content(resolve: &Resolve, definition: &TypeDef) -> bool {
    let TypeOwner::Interface(interface) = definition.owner else { return false };
    let Some(interface) = resolve.interfaces.get(interface) else { return false };
    let package = interface.package.and_then(|package| resolve.packages.get(package));
    definition.name.as_deref() == Some("content")
        && interface.name.as_deref() == Some("content")
        && package
            .is_some_and(|package| package.name.namespace == "soulbound" && package.name.name == "skill")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_known_by_where_it_is_defined() {
        let mut resolve = Resolve::default();
        let ours = "package soulbound:skill@0.1.0;
            interface content { variant content { text(string) } variant other { text(string) } }";
        resolve.push_str("content.wit", ours).unwrap();
        let theirs = "package some:body;
            interface content { variant content { text(string) } }
            world w {
                use soulbound:skill/content@0.1.0.{content as piece, other};
                use content.{content};
                type alias = list<piece>;
                export plain: func() -> list<piece>;
                export aliased: func() -> alias;
                export fallible: func() -> result<alias, string>;
                export single: func() -> piece;
                export optional: func() -> option<list<piece>>;
                export look-alike: func() -> list<content>;
                export another: func() -> list<other>;
                export nothing: func();
            }";
        let package = resolve.push_str("theirs.wit", theirs).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let found: Vec<&str> = resolve.worlds[world]
            .exports
            .values()
            .filter_map(|item| match item {
                wit_parser::WorldItem::Function(function) if is_returned(&resolve, function) => {
                    Some(function.name.as_str())
                }
                _ => None,
            })
            .collect();
        assert_eq!(found, ["plain", "aliased", "fallible"]);
    }
}
