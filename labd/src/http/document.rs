//! All that can be asked for, as an OpenAPI 3.1 document. It is made of what answers: the routes, the
//! service's own words, and the types themselves.

use protocol::Error;
use protocol::client::Call;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

use super::VERSION;
use super::call::resolved;
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
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
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
    operation["parameters"] = parameters.into();
    operation
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
    let is_null = |of: &Json| of.get("type") == Some(&json!("null"));
    let any = schema.get("anyOf").and_then(Json::as_array);
    any.is_some_and(|any| any.iter().any(is_null))
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
            let required: Vec<_> = takes.iter().map(|(name, _)| *name).collect();
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
    json!({
        "operationId": flow.name,
        "summary": flow.about,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": responses(flow.content, json!({ "type": "string" })),
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
                "required": ["title", "status"],
                "properties": {
                    "title": { "type": "string", "description": "A sentence for people." },
                    "status": { "type": "integer" },
                },
            },
        ],
    });
    json!({ "description": "What went wrong (RFC 9457).", "content": { "application/problem+json": { "schema": schema } } })
}
