//! The parameters of all layers by name, as TypeScript has them too: crate/src/layers/params.json, which `WRITE=1 cargo test` writes.

#![cfg(not(target_family = "wasm"))]

use gru_wasm::layers::LAYERS;
use std::path::Path;

/// `snake_case` to `camelCase`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap().to_string();
    parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
}

#[test]
fn parameters_are_those_of_the_table() {
    let kinds = LAYERS.iter().enumerate().map(|(code, kind)| {
        let params = (kind.params)().into_iter().map(|(name, words)| format!("\"{}\": {words}", camel(name)));
        let params = params.collect::<Vec<_>>().join(", ");
        let full = if kind.full { "\"full\": true, " } else { "" };
        format!("  \"{}\": {{ \"code\": {code}, {full}\"params\": {{ {params} }} }}", kind.name)
    });
    let table = format!("{{\n{}\n}}\n", kinds.collect::<Vec<_>>().join(",\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/layers/params.json");
    if std::env::var_os("WRITE").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), table, "WRITE=1 cargo test --test params writes it anew");
}
