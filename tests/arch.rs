//! The arrows of docs/architecture.md, and the rules of style that a reader of a few lines cannot check.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom: a module, and all that it knows of. docs/decisions/0010-layers.md says why it is so.
const ARROWS: [(&str, &[&str]); 18] = [
    ("units", &[]),
    ("swap", &["units"]),
    ("tx", &["swap", "units"]),
    ("protocol", &["swap", "units"]),
    ("keys", &["swap", "units"]),
    ("policy", &["protocol", "swap", "units"]),
    ("trail", &["swap", "tx", "units"]),
    ("rescue", &["keys", "swap", "tx", "units"]),
    ("ports", &["swap", "tx", "units"]),
    ("config", &["units"]),
    ("store", &["policy", "protocol", "swap", "trail", "units"]),
    ("chain", &["ports", "swap", "tx", "units"]),
    ("node", &["ports", "protocol", "swap", "tx", "units"]),
    (
        "engine",
        &[
            "keys", "policy", "ports", "protocol", "rescue", "store", "swap", "tx", "units",
        ],
    ),
    (
        "api",
        &[
            "engine", "policy", "ports", "protocol", "store", "swap", "trail", "units",
        ],
    ),
    (
        "daemon",
        &[
            "api", "chain", "config", "engine", "keys", "node", "ports", "store", "units",
        ],
    ),
    ("bin/sluiced", &["daemon"]),
    (
        "bin/sluice",
        &[
            "api", "chain", "config", "keys", "ports", "rescue", "store", "swap", "tx", "units",
        ],
    ),
];

/// What the machine must not know: time, threads, randomness, files, networks, curves.
const IMPURE: [&str; 12] = [
    "async ",
    ".await",
    "tokio",
    "std::time",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "rand::",
    "std::fs",
    "std::net",
    "Secp256k1",
    "SECP256K1",
];

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The module that a file belongs to; a binary is one of its own.
    fn module(&self) -> String {
        let mut parts = self.path.split('/');
        let first = parts.next().unwrap_or_default().trim_end_matches(".rs");
        match (first, parts.next()) {
            ("bin", Some(binary)) => format!("bin/{}", binary.trim_end_matches(".rs")),
            _ => first.to_owned(),
        }
    }

    /// The code without comments and without what only tests compile.
    fn code(&self) -> String {
        let shown = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let lines = self.text[..shown].lines();
        let code: Vec<&str> = lines.filter(|line| !line.trim_start().starts_with("//")).collect();
        code.join("\n")
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Files of `src` that are compiled outside tests.
fn shipped() -> Vec<Source> {
    let all = sources("src");
    let tests: BTreeSet<String> = all.iter().flat_map(test_modules).collect();
    let is_test = |path: &str| {
        tests
            .iter()
            .any(|stem| path == format!("{stem}.rs") || path.starts_with(&format!("{stem}/")))
    };
    all.into_iter().filter(|source| !is_test(&source.path)).collect()
}

/// The files, without `.rs`, that a file declares by `#[cfg(test)] mod name;`.
fn test_modules(source: &Source) -> Vec<String> {
    let stem = source.path.trim_end_matches(".rs").trim_end_matches("mod");
    let folder = stem.trim_end_matches('/');
    let declared = source.text.split("#[cfg(test)]\nmod ").skip(1);
    declared
        .filter_map(|rest| rest.split_once(';').map(|(name, _)| name))
        .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .map(|name| format!("{folder}/{name}"))
        .collect()
}

/// The first names after `root::`, such as `crate::a::b` or `use crate::{a, b::{c, d}}`.
fn named(code: &str, root: &str) -> BTreeSet<String> {
    let path = format!("{root}::");
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(&path) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            None => names.extend(first_name(rest)),
            Some(group) => names.extend(split_group(group).into_iter().filter_map(first_name)),
        }
    }
    names
}

/// The members of a `{…}` whose opening brace is gone.
fn split_group(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut members) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(&group[from..at]);
                return members;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    members
}

fn first_name(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// What each module imports of the others, with a file that does.
fn imports() -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for source in shipped() {
        let module = source.module();
        if source.path == "lib.rs" {
            continue;
        }
        let root = if module.starts_with("bin/") { "sluice" } else { "crate" };
        for name in named(&source.code(), root).into_iter().filter(|name| *name != module) {
            found.insert((module.clone(), name), source.path.clone());
        }
    }
    found
}

#[test]
fn imports_point_one_way() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.into();
    let wrong: Vec<String> = imports()
        .iter()
        .filter(|((from, to), _)| {
            let allowed = arrows.get(from.as_str());
            // what a binary names of itself is no module of the library
            let ours = arrows.contains_key(to.as_str());
            ours && !allowed.is_some_and(|allowed| allowed.contains(&to.as_str()))
        })
        .map(|((from, to), file)| format!("{from} -> {to} (src/{file})"))
        .collect();
    assert!(
        wrong.is_empty(),
        "imports against the arrows:\n{}\nmove the item down, or change ARROWS and docs/decisions/0010-layers.md",
        wrong.join("\n")
    );
}

#[test]
fn every_module_has_its_arrows_and_no_arrow_is_idle() {
    let modules: BTreeSet<String> = shipped().iter().map(Source::module).collect();
    let told: BTreeSet<String> = ARROWS.iter().map(|(module, _)| (*module).to_owned()).collect();
    let untold: Vec<&String> = modules.difference(&told).filter(|m| *m != "lib").collect();
    assert!(untold.is_empty(), "modules without a line in ARROWS: {untold:?}");
    let found = imports();
    let idle: Vec<String> = ARROWS
        .iter()
        .flat_map(|(from, to)| to.iter().map(move |to| ((*from).to_owned(), (*to).to_owned())))
        .filter(|arrow| !found.contains_key(arrow))
        .map(|(from, to)| format!("{from} -> {to}"))
        .collect();
    assert!(idle.is_empty(), "arrows that nothing uses any more: {idle:?}");
}

#[test]
fn the_arrows_have_no_circle() {
    // Each line of the table names only modules of earlier lines.
    let mut earlier: BTreeSet<&str> = BTreeSet::new();
    for (module, known) in ARROWS {
        let ahead: Vec<&&str> = known.iter().filter(|known| !earlier.contains(*known)).collect();
        assert!(ahead.is_empty(), "{module} comes before {ahead:?}");
        earlier.insert(module);
    }
}

#[test]
fn no_module_goes_around_the_arrows_by_way_of_super() {
    for source in shipped() {
        let at_the_top = !source.path.contains('/') || source.path.matches('/').count() == 1;
        let is_module_root = source.path.ends_with("/mod.rs") || !source.path.contains('/');
        if at_the_top && is_module_root {
            let above = named(&source.code(), "super");
            assert!(
                above.is_empty(),
                "src/{}: super:: leads to the root: {above:?}",
                source.path
            );
        }
        assert!(
            !source.code().contains("super::super"),
            "src/{}: say crate::",
            source.path
        );
    }
}

#[test]
fn the_machine_is_pure() {
    let mut wrong = Vec::new();
    for source in shipped().iter().filter(|source| source.module() == "swap") {
        let code = source.code();
        wrong.extend(
            IMPURE
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("src/{}: {word}", source.path)),
        );
    }
    assert!(
        wrong.is_empty(),
        "the machine knows what it must not:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_new_state_event_or_effect_must_be_answered_everywhere_in_the_machine() {
    for source in shipped().iter().filter(|source| source.module() == "swap") {
        let code = source.code();
        let line = code.lines().find(|line| line.trim_start().starts_with("_ =>"));
        assert_eq!(line, None, "src/{}: name the variants", source.path);
    }
}

#[test]
fn nothing_shipped_unwraps() {
    for source in shipped() {
        assert!(!source.code().contains(".unwrap()"), "src/{} unwraps", source.path);
    }
}

#[test]
fn files_stay_short_enough_to_read() {
    let too_long: Vec<String> = ["src", "regtest/src"]
        .into_iter()
        .flat_map(|folder| sources(folder).into_iter().map(move |source| (folder, source)))
        .map(|(folder, source)| (format!("{folder}/{}", source.path), source.text.lines().count()))
        .filter(|(_, lines)| *lines >= 400)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert!(too_long.is_empty(), "400 lines or more:\n{}", too_long.join("\n"));
}

/// The functions of a file with their lines, up to the brace in their own column.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let column = |line: &str| line.len() - line.trim_start().len();
    let named = lines.iter().enumerate().filter_map(|(at, line)| {
        let (before, after) = line.split_once("fn ")?;
        let is_one = before
            .split_whitespace()
            .all(|word| word.starts_with("pub") || ["const", "async"].contains(&word));
        is_one.then_some((at, after.split(['(', '<']).next()?))
    });
    named
        .filter_map(|(at, name)| {
            let ends = |line: &&str| column(line) == column(lines[at]) && line.ends_with(['}', ';']);
            let end = lines[at..].iter().position(ends)?;
            Some((name, end + 1))
        })
        .collect()
}

#[test]
fn functions_stay_short_enough_to_read() {
    let mut too_long = Vec::new();
    for folder in ["src", "regtest/src"] {
        for source in sources(folder) {
            let long = functions(&source.text).into_iter().filter(|(_, lines)| *lines >= 60);
            too_long.extend(long.map(|(name, lines)| format!("{folder}/{}: {name}, {lines} lines", source.path)));
        }
    }
    assert!(too_long.is_empty(), "60 lines or more:\n{}", too_long.join("\n"));
}

#[test]
fn functions_are_measured_in_all_their_forms() {
    let text = "pub(super) async fn a() {\n    b\n}\ntrait T {\n    fn c(\n        &self,\n    );\n    fn d() {}\n}\nlet f = |x| fn_of(x);";
    assert_eq!(functions(text), [("a", 3), ("c", 3), ("d", 1)]);
}

#[test]
fn imports_are_read_in_all_their_forms() {
    let code = "use crate::{a::{b, c}, d};\nuse crate::e::F;\nlet x = crate::g::h();\nother_crate::i; $crate::j";
    let names: Vec<String> = named(code, "crate").into_iter().collect();
    assert_eq!(names, ["a", "d", "e", "g", "j"]);
}
