//! The language, case by case, as libucl behaves; and what is a fault here.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::fault::Faults;
use super::super::reader::to_json;
use super::*;

fn faults_of(text: &str) -> Vec<String> {
    let faults = Faults::default();
    parse(text, Path::new("t"), &faults);
    faults.into_sorted().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn read(text: &str) -> Json {
    let faults = Faults::default();
    let value = parse(text, Path::new("t"), &faults);
    assert_eq!(faults.into_sorted(), [], "{text}");
    to_json(&value)
}

#[track_caller]
fn same(text: &str, json: Json) {
    assert_eq!(read(text), json, "{text}");
}

#[test]
fn keys_and_values_are_separated_in_three_ways() {
    same("a = 1; b: 2\nc 3", json!({"a": 1, "b": 2, "c": 3}));
    same("a=1,b:2", json!({"a": 1, "b": 2}));
    same("'single key' = 1; \"double\\u0020key\" = 2", json!({"single key": 1, "double key": 2}));
    same("a =\n  1; b:\nhttp://x", json!({"a": 1, "b": "http://x"}));
    same("a { }\nb\n{ }", json!({"a": {}, "b": {}}));
    same(";;; a = 1 ;,;\n\r\n, b = 2 ;", json!({"a": 1, "b": 2}));
}

#[test]
fn the_top_may_stand_in_braces_or_be_a_list() {
    same("{ a = 1 }", json!({"a": 1}));
    same("# first\n{ \"a\": [1, 2.5, null, true] }\n", json!({"a": [1, 2.5, null, true]}));
    same("[ a, b ]", json!(["a", "b"]));
    same("", json!({}));
    same("\u{feff}a = 1", json!({"a": 1}));
}

#[test]
fn texts_without_quotes_end_where_nobody_would_go_on() {
    same("a = two words ; b = x", json!({"a": "two words", "b": "x"}));
    same("a = /ztank/prog/board_script;", json!({"a": "/ztank/prog/board_script"}));
    same("a = http://x.lab:80/y?z=1", json!({"a": "http://x.lab:80/y?z=1"}));
    same("a = //server/share", json!({"a": "//server/share"}));
    same("a = x{y}[0]z\nb = ${none}", json!({"a": "x{y}[0]z", "b": "${none}"}));
    same("{ a = x }", json!({"a": "x"}));
    same("a = [x y, z]", json!({"a": ["x y", "z"]}));
    same("a = b\\;c\\,d \\u00e9", json!({"a": "b;c,d é"}));
    same("a = dc:a6:32:01:02:03", json!({"a": "dc:a6:32:01:02:03"}));
    same("a 10.0.0.1", json!({"a": "10.0.0.1"}));
    same("tick = don't", json!({"tick": "don't"}));
}

#[test]
fn comments_are_of_three_kinds_and_nest() {
    same("a = 1 # one\nb = x#y", json!({"a": 1, "b": "x"}));
    same(
        "// alone\na = 1 // behind\nb = x // behind\nc = \"q\" // behind",
        json!({"a": 1, "b": "x", "c": "q"}),
    );
    same("/* a = 1 /* nested */ b = 2 */ c = 3", json!({"c": 3}));
    same("a /* key */ = /* value */ 1 /* end */", json!({"a": 1}));
    same("a = x/* y */\nb/* */{ }", json!({"a": "x", "b": {}}));
    same("a = [ # one\n 1 // two\n 2 /* three */ ]", json!({"a": [1, 2]}));
    same("a = \"# /* // */\"", json!({"a": "# /* // */"}));
    same("/* it's \"one\n*/ a = 1", json!({"a": 1}));
}

#[test]
fn quoted_texts_have_escapes() {
    same(r#"a = "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#, json!({"a": "\"\\/\u{8}\u{c}\n\r\té😀"}));
    same(r"a = 'it\'s \n ${CURDIR} \u0041'", json!({"a": r"it's \n ${CURDIR} \u0041"}));
    same("a = 'one \\\ntwo'", json!({"a": "one two"}));
    same("a = \"10k\"; b = 'yes'", json!({"a": "10k", "b": "yes"}));
    same("a = ''; b = \"\"", json!({"a": "", "b": ""}));
}

#[test]
fn heredocs_are_taken_as_they_stand() {
    same("a = <<EOD\nx = 1;\n  \"y\"\nEOD\nb = 1", json!({"a": "x = 1;\n  \"y\"", "b": 1}));
    same("a <<END\nENDING\n END\nEND; b = 1", json!({"a": "ENDING\n END", "b": 1}));
    same("a = <<X\n\n\nX", json!({"a": "\n"}));
    same("a = <<X\nX\n", json!({"a": ""}));
    same("a = <<lower\nb = << X", json!({"a": "<<lower", "b": "<< X"}));
    same("a = [<<A\none\nA\n, <<B\ntwo\nB\n]", json!({"a": ["one", "two"]}));
}

#[test]
fn keys_that_repeat_become_arrays() {
    same("a = 1; a = 2; a = 3", json!({"a": [1, 2, 3]}));
    same("a = [1]; a = [2]", json!({"a": [[1], [2]]}));
    same("a { x = 1 }\na { x = 2 }", json!({"a": [{"x": 1}, {"x": 2}]}));
}

#[test]
fn names_before_a_bracket_are_nested_sections() {
    same("s a { x = 1 }", json!({"s": {"a": {"x": 1}}}));
    same("s \"a b\" 'c' { }", json!({"s": {"a b": {"c": {}}}}));
    same("s a { x = 1 }\ns b { x = 2 }", json!({"s": [{"a": {"x": 1}}, {"b": {"x": 2}}]}));
    same("s l [1, 2]", json!({"s": {"l": [1, 2]}}));
    same("s some words\nt { }", json!({"s": "some words", "t": {}}));
}

#[test]
fn variables_are_those_of_the_file() {
    let here = std::path::absolute("dir").unwrap().display().to_string();
    let faults = Faults::default();
    let text = "a = ${CURDIR}/x; b = \"$CURDIR\"; c = $$CURDIR; d = $${CURDIR} $CURDIR; e = $OTHER
                f = ${FILENAME}; g = <<A\n$FILENAME\nA\n";
    let value = to_json(&parse(text, Path::new("dir/f.conf"), &faults));
    assert_eq!(
        value,
        json!({
            "a": format!("{here}/x"),
            "b": here,
            // As libucl: without a variable, nothing is touched.
            "c": "$$CURDIR",
            "d": format!("${{CURDIR}} {here}"),
            "e": "$OTHER",
            "f": format!("{here}/f.conf"),
            "g": format!("{here}/f.conf"),
        })
    );
}

#[test]
fn a_section_inherits_what_it_does_not_say() {
    same(
        "base { x = 1; y = 2 }\nmine { .inherit \"base\"\n y = 3 }",
        json!({"base": {"x": 1, "y": 2}, "mine": {"x": 1, "y": 3}}),
    );
    same(
        "base { x = 1 }\nmine { x = 2; .inherit base\n }",
        json!({"base": {"x": 1}, "mine": {"x": 2}}),
    );
}

#[test]
fn files_are_included_where_they_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = fs::canonicalize(folder.path()).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    file("rack/1.conf", "a = 1; who = one\n");
    file("rack/2.conf", "a = 2; .include \"../deep.conf\"\n");
    file("deep.conf", "deep = ${CURDIR}");
    file("high.conf", "who = high");
    file("more.conf", "s { y = 2 }");
    let load_text = |text: &str| {
        let faults = Faults::default();
        let value = to_json(&load(&file("top.conf", text), &faults));
        (value, faults.into_sorted())
    };
    for (text, json) in [
        (".include \"deep.conf\"", json!({"deep": here})),
        (".include deep.conf\nb = 1", json!({"deep": here, "b": 1})),
        (".include { deep.conf }", json!({"deep": here})),
        ("s { .include \"$CURDIR/deep.conf\" }", json!({"s": {"deep": here}})),
        (".include(glob = true) \"rack/[!x]*\"; a = 3\n.try_include none", json!(null)),
        (".include(glob=true) \"rack/?.conf\"", json!({"a": [1, 2], "who": "one", "deep": here})),
        (".include(try=true) \"none.conf\"; a = 1", json!({"a": 1})),
        (".try_include \"none.conf\"", json!({})),
        ("who = low; .include(priority=1) high.conf", json!({"who": "high"})),
        (".include(priority=1) high.conf\nwho = low", json!({"who": "high"})),
        (".priority 2\nwho = mine\n.include(priority=1) high.conf", json!({"who": "mine"})),
        ("who = low; .include(duplicate=rewrite) high.conf", json!({"who": "high"})),
        ("s { x = 1 }; .include(duplicate=merge) more.conf", json!({"s": {"x": 1, "y": 2}})),
        ("s { x = 1 }; .include more.conf", json!({"s": [{"x": 1}, {"y": 2}]})),
        (".include(prefix=true) high.conf", json!({"high": {"who": "high"}})),
        (
            ".include(prefix=true, key=\"w\", target=array, glob=yes) \"rack/1*\"\n\
             .include(prefix=true; key=w; target=array) high.conf",
            json!({"w": [{"a": 1, "who": "one"}, {"who": "high"}]}),
        ),
    ] {
        let (value, faults) = load_text(text);
        if json.is_null() {
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        } else {
            assert_eq!((value, faults), (json, vec![]), "{text}");
        }
    }
}

#[test]
fn files_that_would_never_end_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let include = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let faults = Faults::default();
        load(&path, &faults);
        faults
            .into_sorted()
            .iter()
            .map(|fault| fault.message.clone())
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert!(include("a.conf", ".include b.conf").ends_with("b.conf does not exist"));
    assert!(include("b.conf", ".include a.conf").ends_with("b.conf includes itself"));
    for n in 0..20 {
        let text = format!(".include d{}.conf\n.include d{0}.conf\n", n + 1);
        fs::write(folder.path().join(format!("d{n}.conf")), text).unwrap();
    }
    let began = Instant::now();
    assert!(include("deep.conf", ".include d0.conf").contains("16 files deep"));
    assert!(include("pipe.conf", ".include /dev/zero").ends_with("/dev/zero is not a file"));
    assert!(include("dir.conf", ".include .").contains("is not a file"));
    fs::write(folder.path().join("large"), vec![b'#'; 9 << 20]).unwrap();
    assert!(include("l.conf", ".include large").contains("too large"));
    fs::write(folder.path().join("latin1"), b"a = 1\nb = x\xe9").unwrap();
    assert_eq!(include("u.conf", ".include latin1"), "this is not UTF-8");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn every_syntax_fault_has_its_place_and_its_remedy() {
    for (text, faults) in [
        ("a", vec!["t:1:2: 'a' has no value; write a = VALUE"]),
        ("a = ;\nb = 1", vec!["t:1:5: 'a' has no value; write a = VALUE"]),
        ("a =\nb = 1\n", vec!["t:1:4: 'a' has no value; write a = VALUE"]),
        ("a:\n b: 1", vec!["t:1:3: 'a' has no value; write a = VALUE"]),
        (
            ".include(a! = 1) x\nb = ;",
            vec![
                "t:1:11: '!' cannot stand in a key; put the key in quotes",
                "t:1:18: x does not exist",
                "t:2:5: 'b' has no value; write b = VALUE",
            ],
        ),
        (".priority(a = 1) 2", vec!["t:1:1: .priority takes no arguments"]),
        ("a = = 1", vec!["t:1:5: one '=' is enough"]),
        (
            "a = \"x\ny = 1",
            vec!["t:1:5: this \" is not closed on its line; write \" at the text's end"],
        ),
        ("a = 'x", vec!["t:1:5: this ' is not closed on its line; write ' at the text's end"]),
        ("a = \"\\q\"", vec!["t:1:6: '\\q' is no escape; write \\\\ for a backslash"]),
        ("a = \"\\u12\"", vec!["t:1:6: '\\u' wants four hexadecimal digits, as in \\u00e9"]),
        (
            "a = \"\\ud83d\"",
            vec!["t:1:6: this is half a character; write both halves, as in \\ud83d\\ude00"],
        ),
        ("a = \"\\ude00\"", vec!["t:1:6: this second half of a character has no first"]),
        ("a { b = 1", vec!["t:1:3: this is never closed; write } at its end"]),
        ("a [ { b = 1\n", vec!["t:1:5: this is never closed; write } at its end"]),
        ("a = 1 }\nb = 2", vec!["t:1:7: '}' closes nothing; take it away"]),
        ("a [ 1 }\nb = 2 ]", vec!["t:1:7: '}' closes nothing; take it away"]),
        ("a [ { b = 1 ]", vec!["t:1:13: ']' where '}' is wanted, for what begins on line 1"]),
        ("{ a = 1 } b", vec!["t:1:11: 'b' stands behind the end of the whole"]),
        ("a = \"x\" b = 1", vec!["t:1:9: write ';' or a new line before 'b'"]),
        ("a! = 1", vec!["t:1:2: '!' cannot stand in a key; put the key in quotes"]),
        ("= 1", vec!["t:1:1: '=' begins no setting; write KEY = VALUE"]),
        ("\"\" = 1", vec!["t:1:1: a key is empty; write KEY = VALUE"]),
        (
            "a = 99999999999999999999",
            vec![
                "t:1:5: 99999999999999999999 is too large a number; put it in quotes if it is a text",
            ],
        ),
        (
            "a = <<EOD\nx\nEODX\n",
            vec!["t:1:5: this text is not ended; write EOD on a line of its own"],
        ),
        (
            "a = 1\n/* x /* y\n*/",
            vec![
                "t:2:1: this comment is never closed: the /* at t:2:6 is within it, and wants a */ of its own",
            ],
        ),
        (
            "a { /* x\n}",
            vec![
                "t:1:5: this comment is never closed: write */ at its end; a path with /* in it wants quotes",
            ],
        ),
        (
            "a { b = \"x }\nc = 1 }",
            vec![
                "t:1:9: this \" is not closed on its line; write \" at the text's end",
                "t:2:7: '}' closes nothing; take it away",
            ],
        ),
        (
            ".includes \"x\"",
            vec!["t:1:1: .includes, which wants a signed file, is not supported; write .include"],
        ),
        (".inclde \"x\"", vec!["t:1:1: '.inclde' is no macro; did you mean .include?"]),
        (
            ".lua { }",
            vec![
                "t:1:1: '.lua' is no macro; there are .include, .try_include, .priority, .inherit",
            ],
        ),
        (
            ".include(tri=yes) x",
            vec![
                "t:1:10: 'tri' is not known here; did you mean 'try'?",
                "t:1:19: x does not exist",
            ],
        ),
        (
            ".include http://x/y",
            vec!["t:1:10: files from elsewhere cannot be included; write a path"],
        ),
        (".priority 16", vec!["t:1:11: '16' is not a priority; write 0 to 15"]),
        (".inherit x", vec!["t:1:10: there is no section 'x' at the top before this line"]),
        ("x = 1; .inherit x", vec!["t:1:17: 'x' is not one section"]),
        // Lines and columns are counted as people count them.
        ("é = \"ü\" x", vec!["t:1:9: write ';' or a new line before 'x'"]),
        ("\tb = ;", vec!["t:1:6: 'b' has no value; write b = VALUE"]),
        ("a = 1\r\n\r\nb = ;", vec!["t:3:5: 'b' has no value; write b = VALUE"]),
        ("a = <<X\n1\n2\nX\nb = ;", vec!["t:5:5: 'b' has no value; write b = VALUE"]),
        ("/*\n*/ b = ;", vec!["t:2:8: 'b' has no value; write b = VALUE"]),
        // Each is told of, and what is right between them is read.
        (
            "a = \"x\nb = 1\nc\nd { e = ; f = 2 }\ng = \"\\z\"\nh { = }",
            vec![
                "t:1:5: this \" is not closed on its line; write \" at the text's end",
                "t:3:2: 'c' has no value; write c = VALUE",
                "t:4:9: 'e' has no value; write e = VALUE",
                "t:5:6: '\\z' is no escape; write \\\\ for a backslash",
                "t:6:5: '=' begins no setting; write KEY = VALUE",
            ],
        ),
    ] {
        assert_eq!(faults_of(text), faults, "{text}");
    }
}

#[test]
fn nesting_has_an_end() {
    let nested = |n: usize| format!("a {}{}", "{ a ".repeat(n), "}".repeat(n));
    let too_deep = |text: &str| faults_of(text).iter().any(|f| f.contains("more than 64 deep"));
    assert!(too_deep(&nested(65)));
    assert!(too_deep(&"[".repeat(100_000)));
    assert!(too_deep(&format!("a {}{{ }}", "b ".repeat(100_000))));
    assert!(too_deep(&".include(\n".repeat(10_000)));
    same(&format!("a = {}1{}", "[".repeat(64), "]".repeat(64)), {
        (0..64).fold(json!(1), |inner, _| json!([inner])).pipe(|list| json!({ "a": list }))
    });
    let mut doubling = "s0 { x = 1 }\n".to_owned();
    for n in 0..60 {
        doubling += &format!("s{} {{ a {{ .inherit s{n}\n }} b {{ .inherit s{n}\n }} }}\n", n + 1);
    }
    assert!(faults_of(&doubling).iter().any(|f| f.contains("too much is inherited")));
}

trait Pipe: Sized {
    fn pipe<T>(self, f: impl FnOnce(Self) -> T) -> T {
        f(self)
    }
}
impl Pipe for Json {}

/// What is as long as a million characters takes no longer than a moment.
#[test]
fn reading_is_linear() {
    for (part, end) in [
        ("a = 1\n", ""),
        ("a\n", ""),
        ("a ", "{"),
        ("a = \"\\", ""),
        ("{ ", ""),
        ("[", ""),
        ("/*", ""),
        ("a = <<A\n", ""),
        ("a \"b\" ", ""),
        ("a /* */ ", "\n"),
        ("}", ""),
        ("a = $", ""),
        ("a = b { ", ""),
        ("\n", "a"),
        ("a\n\n\n\n", ""),
        ("x = ${CURDIR}", ""),
        (".include x\n", ""),
        (".inherit a\n", ""),
        (".include(", "x = 1) y"),
        (".x", ""),
    ] {
        let text = part.repeat(400_000 / part.len()) + end;
        let began = Instant::now();
        faults_of(&text);
        assert!(began.elapsed() < Duration::from_secs(4), "{part:?} {:?}", began.elapsed());
    }
    let keys: String = (0..50_000).map(|n| format!("k{n} = {n}\n")).collect();
    let began = Instant::now();
    read(&keys);
    assert!(began.elapsed() < Duration::from_secs(4));
}

/// Any tree that UCL can say, printed in one of the ways it can be written.
fn print(json: &Json, style: &mut impl FnMut(usize) -> usize, out: &mut String) {
    match json {
        Json::Object(entries) => {
            out.push_str("{\n");
            for (key, value) in entries {
                out.push_str(&serde_json::to_string(key).unwrap());
                out.push_str([" = ", ": ", " "][style(3)]);
                print(value, style, out);
                out.push_str([";", "\n", " ,", " # x\n", " /* } */ ;"][style(5)]);
            }
            out.push('}');
        }
        Json::Array(values) => {
            out.push('[');
            for value in values {
                print(value, style, out);
                out.push_str([",", "\n", " ,\n "][style(3)]);
            }
            out.push(']');
        }
        Json::String(text) if style(3) == 0 && !text.contains(['\\', '\n']) => {
            out.push_str(&format!("'{}'", text.replace('\'', "\\'")));
        }
        Json::Bool(true) => out.push_str(["true", "yes", "on"][style(3)]),
        Json::Bool(false) => out.push_str(["false", "no", "off"][style(3)]),
        other => out.push_str(&other.to_string()),
    }
}

fn any_tree() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1e9..1e9_f64).prop_map(Json::from),
        "[^$]{0,12}".prop_map(Json::from),
        "[a-z/:. {}#\"'\\\\]{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map("[a-z \u{e9}]{1,6}", inner, 0..5)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_the_same(
        tree in prop::collection::btree_map("[a-z]{1,6}", any_tree(), 0..6),
        seed in any::<u64>(),
    ) {
        let tree: Json = tree.into_iter().collect();
        let mut state = seed | 1;
        let mut style = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let mut text = String::new();
        print(&tree, &mut style, &mut text);
        let faults = Faults::default();
        let value = to_json(&parse(&text, Path::new("t"), &faults));
        prop_assert_eq!(faults.into_sorted(), vec![], "{}", &text);
        prop_assert_eq!(value, tree, "{}", &text);
    }
}
