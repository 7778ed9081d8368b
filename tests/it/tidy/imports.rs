//! Which modules a file names: every path that begins with `crate`, `super`, `self` or a child
//! module's name, use trees taken apart.
//!
//! Code is read as text, without a parser: what looks like such a path counts as an import. Test
//! code is left out.

use std::collections::BTreeSet;

#[cfg(test)]
use super::rooms::modules;
use super::source::{Source, close_of, leading_spaces, word_at};

/// The modules that a file's code outside tests names, with where.
pub fn imports(
    source: &Source,
    module: &str,
    modules: &BTreeSet<String>,
) -> BTreeSet<(usize, String)> {
    let own: Vec<&str> = module.split("::").collect();
    let parent = &own[..own.len() - 1];
    let children = modules.iter().filter_map(|m| m.strip_prefix(module)?.strip_prefix("::"));
    let mut roots = vec![("crate", Vec::new()), ("super", parent.to_vec()), ("self", own.clone())];
    if module == "main" {
        roots.push(("muster", Vec::new()));
    }
    roots.extend(children.filter(|c| !c.contains("::")).map(|c| (c, [&own[..], &[c]].concat())));

    let mut found = BTreeSet::new();
    for (word, root) in roots {
        for at in source.find(&format!("{word}::")) {
            let continues = source.code[..at].ends_with("::") || source.code[..at].ends_with('$');
            if source.is_test(at) || continues {
                continue;
            }
            let mut paths = Vec::new();
            expand(&source.code[at + word.len() + 2..], &root, &mut paths);
            let targets = paths.iter().map(|path| resolve(path, modules));
            found.extend(targets.map(|target| (at, target)));
        }
    }
    found
}

/// The paths of a use tree, each as its segments behind `root`: `a::{b, c::D}` gives two.
fn expand<'a>(tree: &'a str, root: &[&'a str], paths: &mut Vec<Vec<&'a str>>) {
    let tree = &tree[leading_spaces(tree)..];
    if tree.starts_with('{') {
        let mut inside = &tree[1..close_of(tree, 0)];
        while !inside.trim().is_empty() {
            let end = end_of_branch(inside);
            expand(&inside[..end], root, paths);
            inside = inside.get(end + 1..).unwrap_or_default();
        }
        return;
    }
    let segment = word_at(tree, 0);
    let path = match segment {
        "super" => root[..root.len().saturating_sub(1)].to_vec(),
        "self" | "" => root.to_vec(),
        _ => [root, &[segment]].concat(),
    };
    match tree[segment.len()..].strip_prefix("::") {
        Some(rest) => expand(rest, &path, paths),
        None => paths.push(path),
    }
}

/// The offset of the comma that ends the first branch of a use tree's list; its length if none
/// does.
fn end_of_branch(list: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => return at,
            _ => {}
        }
    }
    list.len()
}

/// The longest module that a path begins with; `lib` for an item of the crate's root.
fn resolve(path: &[&str], modules: &BTreeSet<String>) -> String {
    let prefixes = (1..=path.len()).rev().map(|length| path[..length].join("::"));
    prefixes.into_iter().find(|prefix| modules.contains(prefix)).unwrap_or_else(|| "lib".into())
}

#[test]
fn imports_are_read_from_every_form_of_path() {
    let text = "use crate::{limits::A, http::{self, head::{B, C as D}}};\nuse super::query;\n\
                fn a() { super::super::log::b(crate::tracker::swarm::E::<u8>::new()) }\n\
                // use crate::stats;\n#[cfg(test)]\nmod tests { use crate::serve; }\n";
    let source = Source::new("src/http/epoll.rs", text);
    let found = imports(&source, "http::epoll", &modules());
    let found: Vec<_> =
        found.iter().map(|(at, target)| (source.line(*at), target.as_str())).collect();
    let wanted = [
        (1, "http"),
        (1, "http::head"),
        (1, "limits"),
        (2, "http::query"),
        (3, "log"),
        (3, "tracker::swarm"),
    ];
    assert_eq!(found, wanted);

    let source = Source::new("src/http.rs", "mod epoll;\nfn a() { epoll::run(self::head::B) }\n");
    let found = imports(&source, "http", &modules());
    let found: Vec<_> = found.iter().map(|(_, target)| target.as_str()).collect();
    assert_eq!(found, ["http::epoll", "http::head"]);

    let source = Source::new("src/main.rs", "fn main() { muster::serve::run() }\n");
    assert_eq!(imports(&source, "main", &modules()).len(), 1);
}
