//! `.include`, `.priority` and `.inherit`.

use std::path::Path;
use std::sync::Arc;

use super::cursor::Cursor;
use super::parser::{Chunk, DEEPEST, Lost, Parser};
use super::section::{Duplicate, Section, Standing};
use super::source::{Unread, matching};
use super::text;
use super::{Key, Node, Place, Value};
use crate::config::reader::{Table, nearest};
use crate::setting_words;

/// Values that all `.inherit` together may copy.
const MOST_COPIED: usize = 100_000;

const MACROS: [&str; 4] = ["include", "try_include", "priority", "inherit"];

/// `.include(try = yes, glob = yes, priority = 1, duplicate = merge, prefix = yes, key = rack) "…"`
#[derive(Default)]
struct Include {
    /// A file that is not there is no fault.
    may_be_missing: bool,
    /// The path is a pattern.
    glob: bool,
    /// The settings go into a section of their own.
    prefix: Option<Prefix>,
    standing: Standing,
}

struct Prefix {
    /// The name of the file without its ending, if not said.
    key: Option<String>,
    target: Target,
}

#[derive(Clone, Copy)]
enum Target {
    Object,
    Array,
}

setting_words!(Target, "object or array", {
    "object" => Target::Object,
    "array" => Target::Array,
});

/// A macro's word, and where it stands.
struct Word {
    text: String,
    at: Place,
}

impl Parser<'_> {
    /// Reads a macro and does what it says.
    pub(super) fn call(&mut self, chunk: &mut Chunk<'_>) -> Result<(), Lost> {
        let at = chunk.cursor.place();
        chunk.cursor.bump();
        let name = chunk.cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        self.gap(chunk, Cursor::blanks)?;
        let arguments = match chunk.cursor.peek() {
            Some('(') => Some(self.arguments(chunk)?),
            _ => None,
        };
        self.gap(chunk, Cursor::blanks)?;
        match name {
            "include" => self.include(chunk, self.options(arguments.as_ref())),
            "try_include" => {
                let include = self.options(arguments.as_ref());
                self.include(chunk, Include { may_be_missing: true, ..include })
            }
            "priority" | "inherit" if arguments.is_some() => {
                Err(self.fault(&at, format!(".{name} takes no arguments")))
            }
            "priority" => self.priority(chunk),
            "inherit" => self.inherit(chunk),
            "includes" => Err(self.fault(
                &at,
                ".includes, which wants a signed file, is not supported; write .include",
            )),
            other => {
                let help = match nearest(other, MACROS) {
                    Some(near) => format!("did you mean .{near}?"),
                    None => format!("there are .{}", MACROS.join(", .")),
                };
                Err(self.fault(&at, format!("'.{other}' is no macro; {help}")))
            }
        }
    }

    fn options(&self, arguments: Option<&Value>) -> Include {
        let Some(arguments) = arguments else { return Include::default() };
        let mut table = Table::new(arguments, self.faults);
        let priority = table.or("priority", 0_u8);
        if priority > 15 {
            table.fault("priority", "priority: write 0 to 15");
        }
        let key = table.optional("key");
        let target = table.or("target", Target::Object);
        let include = Include {
            may_be_missing: table.or("try", false),
            glob: table.or("glob", false),
            prefix: table.or("prefix", false).then_some(Prefix { key, target }),
            standing: Standing { priority, duplicate: table.or("duplicate", Duplicate::Append) },
        };
        if table.or("sign", false) {
            table.fault("sign", "sign: signed files are not supported");
        }
        // libucl's default is yes; as no file from elsewhere is ever read, both are as good.
        table.optional::<bool>("url");
        table.finish();
        include
    }

    /// Reads what stands behind a macro.
    fn word(&mut self, chunk: &mut Chunk<'_>, wanted: &str) -> Result<Word, Lost> {
        let at = chunk.cursor.place();
        let text = match chunk.cursor.peek() {
            Some('"') => text::double_quoted(&mut chunk.cursor),
            Some('\'') => text::single_quoted(&mut chunk.cursor),
            Some('{') => braced(&mut chunk.cursor),
            _ => Ok(path(&mut chunk.cursor)),
        };
        let text = chunk.variables.expand(self.text(text)?);
        match text.is_empty() {
            true => Err(self.fault(&at, format!("{wanted} is missing"))),
            false => Ok(Word { text, at }),
        }
    }

    fn include(&mut self, chunk: &mut Chunk<'_>, include: Include) -> Result<(), Lost> {
        let path = self.word(chunk, "the path of a file")?;
        if path.text.contains("://") {
            return Err(
                self.fault(&path.at, "files from elsewhere cannot be included; write a path")
            );
        }
        let folder = path.at.file.parent().unwrap_or(Path::new("")).to_owned();
        let wanted = folder.join(&path.text);
        if !include.glob {
            return self.included(&wanted, &path.at, &include);
        }
        let files = matching(&wanted).unwrap_or_default();
        if files.is_empty() && !include.may_be_missing {
            let wanted = wanted.display();
            return Err(self.fault(&path.at, format!("no file is named {wanted}")));
        }
        for file in files {
            self.included(&file, &path.at, &include)?;
        }
        Ok(())
    }

    fn included(&mut self, file: &Path, at: &Place, include: &Include) -> Result<(), Lost> {
        let text = match self.sources.open(file) {
            Ok(text) => text,
            Err(Unread::Missing(_)) if include.may_be_missing => return Ok(()),
            Err(unread) => return Err(self.unread(unread, file, at)),
        };
        if include.prefix.is_some() {
            self.open.push(Section::default());
        }
        let mut chunk = Chunk::new(&text, Arc::new(file.to_owned()), include.standing);
        if let Some(list) = self.source(&mut chunk) {
            self.fault(&list.at, "an included file holds settings; this is a list");
        }
        self.sources.close();
        match &include.prefix {
            None => Ok(()),
            Some(prefix) => {
                let node = self.open.pop().unwrap_or_default().done();
                self.prefixed(prefix, file, Value::new(node, at.clone()), include.standing)
            }
        }
    }

    /// Why a file was not read, at the place that named it, or in the file itself.
    pub(super) fn unread(&mut self, unread: Unread, file: &Path, at: &Place) -> Lost {
        match unread {
            Unread::Missing(why) | Unread::Other(why) => self.fault(at, why),
            Unread::NotText(line, column) => {
                let at = Place { file: Arc::new(file.to_owned()), line, column };
                self.fault(&at, "this is not UTF-8")
            }
        }
    }

    /// Puts a file's settings into a section of their own, or into a list of such sections.
    fn prefixed(
        &mut self,
        prefix: &Prefix,
        file: &Path,
        mut value: Value,
        standing: Standing,
    ) -> Result<(), Lost> {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let key = Key { text: prefix.key.clone().unwrap_or(stem), at: value.at.clone() };
        let there = self.open.last_mut().and_then(|section| section.get_mut(&key.text));
        match (there.map(|value| &mut value.node), prefix.target) {
            (Some(Node::Array(values)), Target::Array) => {
                values.push(value);
                Ok(())
            }
            (_, Target::Array) => {
                let at = value.at.clone();
                value = Value::new(Node::Array(vec![value]), at);
                self.insert(key, value, standing)
            }
            (Some(Node::Object(_)), Target::Object) => {
                self.insert(key, value, Standing { duplicate: Duplicate::Merge, ..standing })
            }
            (_, Target::Object) => self.insert(key, value, standing),
        }
    }

    /// What follows in this file has another priority.
    fn priority(&mut self, chunk: &mut Chunk<'_>) -> Result<(), Lost> {
        let word = self.word(chunk, "a priority from 0 to 15")?;
        match word.text.parse() {
            Ok(priority @ 0..=15) => {
                chunk.standing.priority = priority;
                Ok(())
            }
            _ => {
                let text = word.text.escape_debug();
                Err(self.fault(&word.at, format!("'{text}' is not a priority; write 0 to 15")))
            }
        }
    }

    /// Takes over what a section at the top says.
    fn inherit(&mut self, chunk: &mut Chunk<'_>) -> Result<(), Lost> {
        let name = self.word(chunk, "the name of a section at the top")?;
        let Some(parent) = self.open.first().and_then(|top| top.get(&name.text)) else {
            let text = name.text.escape_debug();
            let message = format!("there is no section '{text}' at the top before this line");
            return Err(self.fault(&name.at, message));
        };
        let Node::Object(entries) = &parent.node else {
            let text = name.text.escape_debug();
            return Err(self.fault(&name.at, format!("'{text}' is not one section")));
        };
        let (size, depth) = extent(parent);
        if self.copied + size > MOST_COPIED || self.depth() + depth > DEEPEST {
            return Err(self.fault(&name.at, "too much is inherited; write it out"));
        }
        self.copied += size;
        let entries = entries.clone();
        if let Some(section) = self.open.last_mut() {
            section.inherit(&entries);
        }
        Ok(())
    }
}

/// Reads a path without quotes; `/*` in it begins no comment.
fn path(cursor: &mut Cursor<'_>) -> String {
    let (rest, mut braces) = (cursor.rest(), 0);
    let ends = |c: char| {
        braces += i32::from(c == '{') - i32::from(c == '}');
        braces < 0 || "\n\r;,#]".contains(c)
    };
    let path = &rest[..rest.find(ends).unwrap_or(rest.len())];
    cursor.take(path);
    path.trim_end().to_owned()
}

/// Reads `{ path }`.
fn braced(cursor: &mut Cursor<'_>) -> Result<String, text::BadText> {
    let at = cursor.place();
    cursor.bump();
    let text = cursor.take_while(|c| c != '}').trim().to_owned();
    match cursor.bump() {
        Some(_) => Ok(text),
        None => {
            Err(text::BadText { at, message: "this is never closed; write } at its end".into() })
        }
    }
}

/// How many values there are in one, and how deep they are nested.
fn extent(value: &Value) -> (usize, usize) {
    let parts: Vec<_> = match &value.node {
        Node::Object(entries) => entries.iter().map(|(_, value)| extent(value)).collect(),
        Node::Array(values) => values.iter().map(extent).collect(),
        _ => Vec::new(),
    };
    parts.iter().fold((1, 1), |(size, depth), (s, d)| (size + s, depth.max(d + 1)))
}
