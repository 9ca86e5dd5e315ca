//! The settings file as a JSON Schema, for editors. It is made of the lists by which the file is read.

use serde_json::{Map, Value, json};

use crate::keys::{Group, KeyMap, escape};
use crate::theme;

/// The schema of `labtui.toml`.
pub fn schema() -> Value {
    let flag = |about: &str| json!({ "type": "boolean", "description": about });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "labtui.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "theme": { "anyOf": [base(), looks()] },
            "escape": {
                "description": "How labtui is called from within a console: a preset, or a key",
                "anyOf": [{ "enum": escape::PRESETS }, { "type": "string" }],
            },
            "mouse": flag("Whether clicks and the wheel are labtui's"),
            "motion": flag("Whether anything moves by itself, such as a countdown"),
            "read-only": flag("Whether nothing can be changed in the lab"),
            "keys": table(Group::ALL.map(|group| (group.name(), keys(group)))),
        },
    })
}

fn table<'a>(properties: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let properties: Map<String, Value> =
        properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn base() -> Value {
    json!({ "enum": theme::NAMES })
}

fn looks() -> Value {
    let about = "Colours and weights: \"bold red\", \"#ff8800 on black\"";
    let look = || json!({ "type": "string", "description": about });
    let roles = theme::ROLES.into_iter().map(|role| (role, look()));
    table(roles.chain([("base", base())]))
}

fn keys(group: Group) -> Value {
    let map = KeyMap::default();
    let key = json!({ "type": "string" });
    let either = |help: &str| json!({ "description": help, "anyOf": [key, { "type": "array", "items": key }] });
    table(map.group(group).map(|binding| (binding.name, either(binding.help))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::settings::reader::SETTINGS;

    #[test]
    fn the_schema_has_all_that_can_be_set_and_nothing_else() {
        let schema = schema();
        let properties = &schema["properties"];
        let names: Vec<&String> = properties.as_object().unwrap().keys().collect();
        let mut settings = SETTINGS.to_vec();
        settings.sort_unstable();
        let mut names: Vec<&str> = names.into_iter().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, settings);
        for (group, table) in properties["keys"]["properties"].as_object().unwrap() {
            for name in table["properties"].as_object().unwrap().keys() {
                let text = format!("[keys.{group}]\n{name} = []\n");
                assert!(Settings::read(&text).is_ok(), "{text}");
            }
        }
        for role in properties["theme"]["anyOf"][1]["properties"].as_object().unwrap().keys() {
            let value = if role == "base" { "dark" } else { "bold" };
            assert!(Settings::read(&format!("[theme]\n{role} = '{value}'")).is_ok(), "{role}");
        }
    }
}
