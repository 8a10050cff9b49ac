//! A door for the fuzzers in `fuzz/`: JSON into values of a component's own types and back, without a guest between.
//!
//! The rule: nothing is decided here. The two functions are those of every call.

use serde_json::{Map, Value};
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentItem, Type};

use crate::sandbox::engine;
use crate::sandbox::value::{ArgumentError, Returned, arguments_to_values, result_to_json};

/// The types of the parameters of a function.
pub struct Parameters {
    types: Vec<(String, Type)>,
    _component: Component,
}

impl Parameters {
    /// Of the one function that a component imports. `None` when it is no such component.
    #[must_use]
    pub fn of(component: &[u8]) -> Option<Self> {
        let engine = engine::compiling().ok()?;
        let component = Component::new(&engine, component).ok()?;
        let imported = component.component_type();
        let types = imported.imports(&engine).find_map(|(_, item)| match item.ty {
            ComponentItem::ComponentFunc(function) => {
                Some(function.params().map(|(name, ty)| (name.to_owned(), ty)).collect())
            }
            _ => None,
        });
        types.map(|types| Self { types, _component: component })
    }

    /// The arguments as values, and each of these as JSON again.
    ///
    /// # Errors
    ///
    /// The arguments do not fit.
    pub fn there_and_back(&self, arguments: &Map<String, Value>) -> Result<Vec<Value>, ArgumentError> {
        let types = self.types.iter().map(|(name, ty)| (name.as_str(), ty.clone()));
        let values = arguments_to_values(arguments, types)?;
        let back = values.iter().zip(&self.types).map(|(value, (_, ty))| {
            match result_to_json(Some((value, ty)), u64::MAX) {
                Ok(Returned::Value(value) | Returned::ToolError(value)) => value,
                Err(_) => Value::Null,
            }
        });
        Ok(back.collect())
    }
}
