//! The JSON schemas of the documentation.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

/// The schema of this name, made strict: it must describe every field that is written.
pub fn strict(name: &str) -> Validator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    let mut schema = serde_json::from_str(&text).unwrap();
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") {
                map.insert("additionalProperties".into(), false.into());
            }
            map.values_mut().for_each(close);
        }
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}
