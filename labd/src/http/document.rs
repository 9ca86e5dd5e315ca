//! All that can be asked for, as an OpenAPI 3.1 document. It is made of what answers: the routes, the
//! service's own words, and the types themselves.

use axum::http::Method;
use protocol::Error;
use protocol::client::Call;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

use super::VERSION;
use super::call::{LONGEST_KEY, resolved};
use super::flow::{FLOWS, Flow};
use super::login::{ASKED, Asked};
use super::routes::{Rest, Route, route};

/// The document.
pub(super) fn document() -> Json {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for call in Call::ALL {
        let Route { method, path, .. } = route(*call);
        let method = method.as_str().to_ascii_lowercase();
        add(&mut paths, path, &method, called(*call, &mut schemas));
    }
    for flow in &FLOWS {
        add(&mut paths, flow.path, "get", followed(flow));
    }
    for asked in &ASKED {
        add(&mut paths, asked.path, asked.method, asked_by_anybody(asked, &mut schemas));
    }
    let problem = problem(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "labd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A shared lab. Times are milliseconds since 1970, spans milliseconds.",
        },
        "servers": [{ "url": VERSION }],
        "security": [{ "token": [] }, { "certificate": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "certificate": {
                    "type": "mutualTLS",
                    "description": "A login's, of the lab's own authority.",
                },
            },
            "parameters": { "IdempotencyKey": idempotency_key() },
            "headers": headers(),
            "responses": { "Problem": problem },
            "schemas": schemas.take_definitions(true),
        },
    })
}

fn add(paths: &mut Map<String, Json>, path: &str, method: &str, operation: Json) {
    let methods = paths.entry(path).or_insert_with(|| json!({}));
    methods[method] = operation;
}

fn called(call: Call, schemas: &mut SchemaGenerator) -> Json {
    let (takes, answers) = call.schemas(schemas);
    let route = route(call);
    let mut operation = json!({
        "operationId": call.name(),
        "summary": call.about(),
        "responses": responses("application/json", answers.into()),
    });
    let is_in_path = |name: &str| route.path.contains(&format!("{{{name}}}"));
    let (in_path, rest): (Vec<_>, Vec<_>) =
        takes.into_iter().partition(|(name, _)| is_in_path(name));
    let mut parameters: Vec<_> = in_path
        .into_iter()
        .map(|(name, schema)| parameter("path", name, schema.into(), true))
        .collect();
    if route.is_in_query() {
        parameters.extend(query(route.rest, rest, schemas));
    } else if !rest.is_empty() {
        let content = json!({ "application/json": { "schema": body(route.rest, rest) } });
        operation["requestBody"] = json!({ "content": content });
    }
    if route.method != Method::GET {
        parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    }
    operation["parameters"] = parameters.into();
    operation
}

/// What a client calls a request, so that it is not done again when it is asked again.
fn idempotency_key() -> Json {
    let schema = json!({ "type": "string", "maxLength": LONGEST_KEY });
    let mut key = parameter("header", "Idempotency-Key", schema, false);
    key["description"] =
        "Under the same key, the same request is answered again, and not done again.".into();
    key
}

/// What is said of whatever flows before it does.
const HEADERS: [(&str, &str); 3] = [
    ("Lab-Start", "Where it begins: a console's byte, or a timeline's entry."),
    ("Lab-Session", "The number to type under."),
    ("Lab-Painted", "So many of the first bytes paint the screen, and are not the console's."),
];

fn headers() -> Map<String, Json> {
    let schema = || json!({ "type": "integer", "minimum": 0 });
    let header =
        |about: &str| json!({ "description": about, "required": true, "schema": schema() });
    HEADERS.iter().map(|(name, about)| ((*name).to_owned(), header(about))).collect()
}

/// What is in a query, each by its name.
fn query(rest: Rest, takes: Vec<(&str, Schema)>, schemas: &SchemaGenerator) -> Vec<Json> {
    let text = || json!({ "type": "string" });
    match rest {
        Rest::Named => takes
            .into_iter()
            .map(|(name, schema)| {
                let is_required = !may_be_null(&schema);
                parameter("query", name, schema.into(), is_required)
            })
            .collect(),
        Rest::Whole(_) => takes.iter().flat_map(|(_, schema)| of_object(schema, schemas)).collect(),
        Rest::Boards => {
            let by = ["board", "class", "tags"].map(|name| parameter("query", name, text(), false));
            let mine = parameter("query", "mine", json!({ "type": "boolean" }), false);
            by.into_iter().chain([mine]).collect()
        }
    }
}

/// Whether what is not said means nothing.
fn may_be_null(schema: &Schema) -> bool {
    let is_null = |kind: &Json| kind == "null";
    let is_of_null = |of: &Json| of.get("type").is_some_and(is_null);
    let any = |key: &str| schema.get(key).and_then(Json::as_array).into_iter().flatten();
    any("anyOf").any(is_of_null) || any("type").any(is_null)
}

fn of_object(schema: &Schema, schemas: &SchemaGenerator) -> Vec<Json> {
    let object = resolved(schema, schemas);
    let required = object.get("required").and_then(Json::as_array).cloned().unwrap_or_default();
    let properties = object.get("properties").and_then(Json::as_object).into_iter().flatten();
    let is_required = |name: &str| required.iter().any(|required| required == name);
    properties
        .map(|(name, schema)| parameter("query", name, schema.clone(), is_required(name)))
        .collect()
}

fn parameter(place: &str, name: &str, schema: Json, is_required: bool) -> Json {
    json!({ "in": place, "name": name, "required": is_required, "schema": schema })
}

fn body(rest: Rest, takes: Vec<(&str, Schema)>) -> Json {
    match (rest, takes) {
        (Rest::Whole(_), mut takes) if takes.len() == 1 => takes.remove(0).1.into(),
        (_, takes) => {
            let is_required = |(_, schema): &&(&str, Schema)| !may_be_null(schema);
            let required: Vec<_> =
                takes.iter().filter(is_required).map(|(name, _)| *name).collect();
            let properties: Map<_, _> = takes
                .iter()
                .map(|(name, schema)| ((*name).to_owned(), schema.clone().into()))
                .collect();
            json!({ "type": "object", "properties": properties, "required": required })
        }
    }
}

fn followed(flow: &Flow) -> Json {
    let in_path = flow.path.split(['{', '}']).skip(1).step_by(2);
    let text = || json!({ "type": "string" });
    let in_path = in_path.map(|name| parameter("path", name, text(), true));
    let in_query = flow.query.iter().map(|(name, about)| {
        let mut parameter = parameter("query", name, text(), false);
        parameter["description"] = (*about).into();
        parameter
    });
    let header = |(name, _): &(&str, &str)| {
        ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))
    };
    let mut responses = responses(flow.content, json!({ "type": "string" }));
    responses["200"]["headers"] = HEADERS.iter().map(header).collect::<Map<_, _>>().into();
    json!({
        "operationId": flow.name,
        "summary": flow.about,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": responses,
    })
}

fn asked_by_anybody(asked: &Asked, schemas: &mut SchemaGenerator) -> Json {
    let mut operation = json!({
        "operationId": asked.name,
        "summary": asked.about,
        "security": [],
        "responses": responses("application/json", (asked.answers)(schemas).into()),
    });
    if let Some(takes) = asked.takes {
        let content = json!({ "application/json": { "schema": takes(schemas) } });
        operation["requestBody"] = json!({ "content": content, "required": true });
    }
    operation
}

fn responses(content: &str, schema: Json) -> Json {
    json!({
        "200": { "description": "Done.", "content": { content: { "schema": schema } } },
        "default": { "$ref": "#/components/responses/Problem" },
    })
}

fn problem(schemas: &mut SchemaGenerator) -> Json {
    let error = Error::json_schema(schemas);
    let schema = json!({
        "allOf": [
            error,
            {
                "type": "object",
                "required": ["title", "status", "detail"],
                "properties": {
                    "title": { "type": "string", "description": "The status, in words." },
                    "detail": { "type": "string", "description": "A sentence for people." },
                    "status": { "type": "integer" },
                },
            },
        ],
    });
    json!({ "description": "What went wrong (RFC 9457).", "content": { "application/problem+json": { "schema": schema } } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use protocol::service::LabRequest;

    use super::*;

    /// What each body can say: all of it.
    fn whole(call: Call) -> Json {
        let (span, name) = (json!(60_000), json!("rpi4"));
        match call {
            Call::Reserve => json!({
                "want": { "kind": "board", "name": name }, "span": span, "if_taken": "queue",
                "grace": span, "note": "mine", "ssh_key": "ssh-ed25519 AAAA",
            }),
            Call::Extend => json!({ "span": span }),
            Call::Give => json!({ "to": "bob" }),
            Call::Power => json!({ "ask": "on" }),
            Call::TypeIn => json!({ "bytes": [13] }),
            Call::SendBreak => json!({ "span": span }),
            Call::Note => json!({ "text": "hello" }),
            Call::MakeToken => json!({
                "who": "bob", "note": "ci", "scope": {}, "span": span, "once": true, "joins": true,
            }),
            Call::AddKey => json!({ "who": "bob", "line": "ssh-ed25519 AAAA" }),
            Call::Enrol => json!({ "key": "PEM" }),
            Call::Import => json!({ "lines": [] }),
            call => panic!("what does {call:?} take?"),
        }
    }

    /// Whether the service reads that.
    fn is_read(call: Call, body: &Json) -> bool {
        let Route { path, rest, .. } = route(call);
        let mut takes = match rest {
            Rest::Whole(name) => json!({ name: body }),
            _ => body.clone(),
        };
        for name in path.split(['{', '}']).skip(1).step_by(2) {
            takes[name] = if name == "session" { json!(1) } else { json!("rpi4") };
        }
        serde_json::from_value::<LabRequest>(json!({ format!("{call:?}"): takes })).is_ok()
    }

    /// Planted, and caught: every member is required, or none.
    #[test]
    fn of_a_body_that_is_required_which_the_service_does_not_do_without() {
        let document = document();
        let mut seen = 0;
        for call in Call::ALL {
            let Route { path, method, .. } = route(*call);
            let operation = &document["paths"][path][method.as_str().to_ascii_lowercase()];
            let said = &operation["requestBody"]["content"]["application/json"]["schema"];
            let schema = match said["$ref"].as_str() {
                Some(there) => document.pointer(&there[1..]).expect("it is there"),
                None => said,
            };
            let Some(properties) = schema["properties"].as_object() else { continue };
            seen += 1;
            let body = whole(*call);
            assert!(is_read(*call, &body), "{call:?}: {body}");
            let names: BTreeSet<&String> = body.as_object().expect("an object").keys().collect();
            assert_eq!(names, properties.keys().collect(), "{call:?}");
            for name in names {
                let mut less = body.clone();
                less.as_object_mut().expect("an object").remove(name);
                let required = schema["required"].as_array();
                let is_required = required.is_some_and(|all| all.contains(&json!(name)));
                assert_eq!(is_required, !is_read(*call, &less), "{call:?}: {name}");
            }
        }
        assert_eq!(seen, 11);
    }

    #[test]
    fn what_stands_in_headers_is_said() {
        let document = document();
        let text = document.to_string();
        for there in ["parameters/IdempotencyKey", "headers/Lab-Start", "headers/Lab-Painted"] {
            assert!(text.contains(&format!("\"$ref\":\"#/components/{there}\"")), "{there}");
            assert!(document.pointer(&format!("/components/{there}")).is_some(), "{there}");
        }
        let schemes = document["components"]["securitySchemes"].as_object().expect("an object");
        for way in document["security"].as_array().expect("a list") {
            assert!(
                way.as_object().is_some_and(|way| way.keys().all(|it| schemes.contains_key(it)))
            );
        }
        assert_eq!(schemes["certificate"]["type"], "mutualTLS");
    }
}
