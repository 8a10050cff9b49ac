//! Linking: a store whose data has the view gets `wasi:filesystem`.

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};

use super::harness::Call;
use crate::sandbox::files::add_to_linker;

#[test]
fn a_linker_gets_the_filesystem_once() {
    let engine = Engine::new(&Config::new()).unwrap();
    let mut linker = Linker::<Call>::new(&engine);
    add_to_linker(&mut linker, Call::view).unwrap();
    assert!(add_to_linker(&mut linker, Call::view).is_err(), "linked twice");
    let text = r#"(component (import "wasi:filesystem/types@0.2.0" (instance))
        (import "wasi:filesystem/preopens@0.2.0" (instance)))"#;
    let component = Component::from_binary(&engine, &wat::parse_str(text).unwrap()).unwrap();
    assert!(linker.instantiate_pre(&component).is_ok());
}
