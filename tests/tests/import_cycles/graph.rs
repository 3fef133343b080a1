//! The imports between files and folders.
//!
//! Files are compared where their paths part: an import of `a/b.rs` by `c/d.rs` counts as one of
//! the folder `a` by the folder `c`. So folders are compared with folders, and files with files of
//! one folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::modules::{Import, ModulePath};

/// An import between two neighbours of one folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub folder: ModulePath,
    pub from: String,
    pub to: String,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.folder.join("/"), self.from, self.to)
    }
}

/// Neighbours that import each other, directly or through others.
#[derive(Debug, PartialEq, Eq)]
pub struct Cycle {
    pub folder: ModulePath,
    pub members: BTreeSet<String>,
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members: Vec<&str> = self.members.iter().map(String::as_str).collect();
        write!(f, "{}: {}", self.folder.join("/"), members.join(", "))
    }
}

/// The imports between neighbours, each with the import that causes it.
pub type Edges<'a> = BTreeMap<Edge, Vec<&'a Import>>;

/// Sorts imports by the neighbours that they connect.
pub fn edges<'a>(name: &str, imports: impl IntoIterator<Item = &'a Import>) -> Edges<'a> {
    let mut edges = Edges::new();
    for import in imports {
        let pairs = import.from.iter().zip(&import.to);
        let common = pairs.take_while(|(from, to)| from == to).count();
        let mut folder = vec![name.to_owned()];
        folder.extend_from_slice(&import.from[..common]);
        let edge = Edge {
            folder,
            from: import.from[common].clone(),
            to: import.to[common].clone(),
        };
        edges.entry(edge).or_default().push(import);
    }
    edges
}

/// The edges that are part of a cycle, and the cycles.
pub fn cycles(edges: &Edges<'_>) -> (BTreeSet<Edge>, Vec<Cycle>) {
    let mut cyclic = BTreeSet::new();
    let mut cycles: Vec<Cycle> = Vec::new();
    for edge in edges.keys() {
        let forth = reached(edges, &edge.folder, &edge.to);
        if !forth.contains(&edge.from) {
            continue;
        }
        cyclic.insert(edge.clone());
        let members: BTreeSet<String> = forth
            .into_iter()
            .filter(|node| reached(edges, &edge.folder, node).contains(&edge.from))
            .collect();
        let cycle = Cycle {
            folder: edge.folder.clone(),
            members,
        };
        if !cycles.contains(&cycle) {
            cycles.push(cycle);
        }
    }
    (cyclic, cycles)
}

/// A neighbour and everything that it imports, directly or not.
fn reached(edges: &Edges<'_>, folder: &[String], from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::from([from.to_owned()]);
    let mut open = vec![from.to_owned()];
    while let Some(node) = open.pop() {
        for edge in edges.keys() {
            if edge.folder == folder && edge.from == node && reached.insert(edge.to.clone()) {
                open.push(edge.to.clone());
            }
        }
    }
    reached
}
