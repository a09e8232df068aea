//! Edits relative to one fixed text. A learner's program is always "the right text with these patches", so a mistake is
//! repaired by leaving its patch out.

use std::ops::Range;

/// Replace the bytes of `range` by `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Edits that belong together, apart from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) edits: Vec<Edit>,
}

impl Patch {
    /// One replacement.
    pub(super) fn replace(range: Range<usize>, text: impl Into<String>) -> Self {
        Patch { edits: vec![Edit { range, text: text.into() }] }
    }

    /// A further replacement.
    pub(super) fn and(mut self, range: Range<usize>, text: impl Into<String>) -> Self {
        self.edits.push(Edit { range, text: text.into() });
        self
    }

    /// Whether both change or touch the same place.
    pub(super) fn meets(&self, other: &Patch) -> bool {
        self.edits
            .iter()
            .any(|a| other.edits.iter().any(|b| a.range.start <= b.range.end && b.range.start <= a.range.end))
    }

    /// The patch that takes `apply(base, [self])` back to `base`. Only the tests need it: learners revert by leaving out.
    #[cfg(test)]
    pub(super) fn inverse(&self, base: &str) -> Self {
        let mut edits: Vec<&Edit> = self.edits.iter().collect();
        edits.sort_by_key(|edit| edit.range.start);
        let mut shift = 0_isize;
        let inverted = edits.into_iter().map(|edit| {
            let start = edit.range.start.checked_add_signed(shift).unwrap();
            shift += edit.text.len() as isize - edit.range.len() as isize;
            Edit { range: start..start + edit.text.len(), text: base[edit.range.clone()].to_owned() }
        });
        Patch { edits: inverted.collect() }
    }
}

/// `base` with all edits of all patches; patches must not meet. An edit outside the text, or inside one already made,
/// is passed over.
pub(super) fn apply<'a>(base: &str, patches: impl IntoIterator<Item = &'a Patch>) -> String {
    let mut edits: Vec<&Edit> = patches.into_iter().flat_map(|patch| &patch.edits).collect();
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut out = String::with_capacity(base.len());
    let mut at = 0;
    for edit in edits {
        let Some(kept) = base.get(at..edit.range.start).filter(|_| base.is_char_boundary(edit.range.end)) else {
            continue;
        };
        out.push_str(kept);
        out.push_str(&edit.text);
        at = edit.range.end;
    }
    out.push_str(base.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_apply_in_place_order() {
        let patches = [Patch::replace(4..5, "2").and(0..1, "long"), Patch::replace(2..3, "")];
        assert_eq!(apply("a = 1\n", &patches), "long  2\n");
        assert!(patches[0].meets(&Patch::replace(5..6, "")));
        assert!(!patches[0].meets(&patches[1]));
    }

    #[test]
    fn inverse_goes_back() {
        let base = "a = 1\nb = 2\n";
        let patch = Patch::replace(10..11, "200").and(0..1, "").and(4..5, "one");
        let changed = apply(base, [&patch]);
        assert_eq!(changed, " = one\nb = 200\n");
        assert_eq!(apply(&changed, [&patch.inverse(base)]), base);
    }

    #[test]
    fn bad_edits_are_passed_over() {
        assert_eq!(apply("abc", [&Patch::replace(2..9, "x")]), "abc");
    }
}
