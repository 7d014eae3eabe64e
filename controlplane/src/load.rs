//! Texts to a snapshot: parse, index and compile in one step, pure.

use eagre_snapshot::Snapshot;

use crate::compile::{World, compile};
use crate::index::Index;
use crate::manifest::{self, Diagnostic};
use crate::resolve::Resolver;
use crate::source::files::Sources;

/// What a set of manifests comes to.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration, unless there is an error.
    pub snapshot: Option<Snapshot>,
    /// Every remark, by file and position.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// The errors among the remarks.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error())
    }
}

/// The objects of a set of manifests, before anything is compiled.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) index: Index,
    /// What was found so far; in no order, and without the texts of the lines.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Whether a broker may be missing, so that what refers to one cannot be judged.
    pub(crate) gaps: bool,
}

/// Parses and indexes all files. Objects of a file with an error take part as
/// far as they can be read, so that one pass shows as many mistakes as possible.
pub(crate) fn objects(sources: &Sources) -> Objects {
    let mut index = Index::default();
    let mut diagnostics = sources.problems.clone();
    let mut gaps = diagnostics.iter().any(Diagnostic::is_error);
    for file in &sources.files {
        let parsed = manifest::parse(&file.path, &file.text);
        gaps |= parsed.gaps;
        diagnostics.extend(parsed.diagnostics);
        diagnostics.extend(parsed.objects.into_iter().filter_map(|object| index.insert(object).err()));
    }
    diagnostics.extend(index.remarks().cloned());
    Objects { index, diagnostics, gaps }
}

/// Parses, indexes and compiles all files.
pub fn load(sources: &Sources, resolver: &Resolver) -> Loaded {
    let Objects { index, mut diagnostics, gaps } = objects(sources);
    let mut snapshot = None;
    if !gaps {
        let former = Snapshot::default();
        let compiled = compile(&index, World { resolver, referents: None, former: &former });
        diagnostics.extend(compiled.remarks);
        snapshot = Some(compiled.snapshot);
    }
    if diagnostics.iter().any(Diagnostic::is_error) {
        snapshot = None;
    }
    arrange(&mut diagnostics, sources);
    Loaded { snapshot, diagnostics }
}

/// Puts remarks into the order of files and positions, each with the text of its line.
pub(crate) fn arrange(diagnostics: &mut [Diagnostic], sources: &Sources) {
    sort(diagnostics);
    quote(diagnostics, sources);
}

fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| {
        let rank = |d: &Diagnostic| (d.line, d.column, d.severity);
        a.path.cmp(&b.path).then(rank(a).cmp(&rank(b))).then_with(|| a.message.cmp(&b.message))
    });
}

/// Gives each remark the text of its line, in one pass over each file.
fn quote(diagnostics: &mut [Diagnostic], sources: &Sources) {
    for group in diagnostics.chunk_by_mut(|a, b| a.path == b.path) {
        let file = sources.files.iter().find(|file| *file.path == *group[0].path);
        let mut lines = file.map_or("", |file| file.text.trim_start_matches('\u{feff}')).lines();
        let (mut line, mut text) = (0, "");
        for diagnostic in group {
            while line < diagnostic.line {
                text = lines.next().unwrap_or_default();
                line += 1;
            }
            if line > 0 {
                diagnostic.source = text.to_owned();
            }
        }
    }
}
