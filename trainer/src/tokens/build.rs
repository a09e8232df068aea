//! Trees for supervised training and for preference training, from a [`Transcript`].
//!
//! A target is a submission's body: its text and its stop token. Headers, feedback and the preamble never carry a loss.
//!
//! Supervised: a chain ([`conversation_trees`]). Preference: the same chain as a trunk, in which each rejected submission is a leaf
//! beside the chosen one, behind the same header ([`pair_trees`]). A trajectory that is too long becomes several trees, each
//! target in exactly one of them (see [`crate::dialogue::windows`]).

use super::transcript::{Body, Transcript};
use super::tree::{SegmentId, Span, TokenTree};
use crate::dialogue::{Exchange, Length, Limits, Window, windows};
use crate::error::Result;
use crate::traces::Pair;
use std::collections::BTreeMap;

/// A chain with submissions as targets.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationTree {
    /// One segment; one span a target.
    pub tree: TokenTree,
    /// The step that each span holds, in the order of the spans.
    pub steps: Vec<usize>,
}

/// All of a trajectory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConversationTrees {
    /// The trees; one where the conversation fits.
    pub trees: Vec<ConversationTree>,
    /// Steps that fit into no tree.
    pub too_long: Vec<usize>,
}

/// The trees in which each step from `first_target` on is a target once.
///
/// # Errors
/// Those of [`TokenTree`]; none on a transcript that this room made.
pub fn conversation_trees(transcript: &Transcript, limits: Limits, first_target: usize) -> Result<ConversationTrees> {
    let exchanges: Vec<Exchange> = transcript
        .exchanges
        .iter()
        .enumerate()
        .map(|(i, e)| Exchange {
            history: transcript.history_len(e),
            target: transcript.target_len(&e.body),
            wanted: i >= first_target,
        })
        .collect();
    let cut = windows(transcript.preamble.len(), &exchanges, limits);
    let mut trees = Vec::with_capacity(cut.windows.len());
    for window in cut.windows {
        let mut tokens = transcript.preamble.clone();
        let mut spans = Vec::with_capacity(window.targets.len());
        for (i, body, answer) in along(transcript, &window) {
            tokens.extend_from_slice(&transcript.header);
            if window.targets.contains(&i) {
                spans.push((tokens.len(), body.len()));
            }
            tokens.extend_from_slice(body);
            tokens.extend_from_slice(answer);
        }
        trees.push(ConversationTree { tree: TokenTree::chain(&tokens, &spans)?, steps: window.targets });
    }
    Ok(ConversationTrees { trees, too_long: cut.too_long })
}

/// Where the two sides of a pair are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairSpans {
    /// The pair.
    pub pair: Pair,
    /// Index of the chosen submission's span among the tree's.
    pub chosen: usize,
    /// Index of the rejected submission's span.
    pub rejected: usize,
}

/// A trunk with rejected leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct PairTree {
    /// The tree; two spans a pair, chosen first.
    pub tree: TokenTree,
    /// The pairs in it.
    pub pairs: Vec<PairSpans>,
}

/// All pairs of a trajectory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PairTrees {
    /// The trees; one where everything fits.
    pub trees: Vec<PairTree>,
    /// Pairs that fit into no tree.
    pub too_long: Vec<Pair>,
}

/// The pairs of one anchor, each with the rejected submission's body.
type Sides<'a> = Vec<(Pair, &'a Body)>;

/// The same, in the tokens that they have in a window.
type Rejected<'a> = Vec<(Pair, &'a [u32])>;

/// The trees in which each pair occurs once. With each pair comes the body of its rejected submission, written as one that stands in the
/// place of the chosen. Pairs whose chosen step is not there are ignored.
///
/// # Errors
/// Those of [`TokenTree`]; none on a transcript that this room made.
pub fn pair_trees(transcript: &Transcript, pairs: &[(Pair, Body)], limits: Limits) -> Result<PairTrees> {
    let mut at: BTreeMap<usize, Sides<'_>> = BTreeMap::new();
    for (pair, rejected) in pairs.iter().filter(|(pair, _)| pair.chosen < transcript.exchanges.len()) {
        at.entry(pair.chosen).or_default().push((*pair, rejected));
    }
    let exchanges: Vec<Exchange> = transcript
        .exchanges
        .iter()
        .enumerate()
        .map(|(i, e)| {
            let rejected = at.get(&i).into_iter().flatten().map(|(_, body)| transcript.target_len(body));
            let longer = |a: Length, b: Length| Length { oldest: a.oldest.max(b.oldest), later: a.later.max(b.later) };
            Exchange {
                history: transcript.history_len(e),
                target: rejected.fold(transcript.target_len(&e.body), longer),
                wanted: at.contains_key(&i),
            }
        })
        .collect();
    let cut = windows(transcript.preamble.len(), &exchanges, limits);
    let too_long = cut.too_long.iter().filter_map(|i| at.get(i)).flatten().map(|(pair, _)| *pair).collect();
    let trees = cut.windows.iter().map(|window| pair_tree(transcript, window, &at)).collect::<Result<_>>()?;
    Ok(PairTrees { trees, too_long })
}

fn pair_tree<'a>(transcript: &Transcript, window: &Window, at: &BTreeMap<usize, Sides<'a>>) -> Result<PairTree> {
    let mut tree = TokenTree::default();
    let mut pairs = Vec::new();
    let mut trunk: Option<SegmentId> = None;
    let mut run = transcript.preamble.clone();
    // The chosen body at the start of `run`, to become a target once the run is a segment.
    let mut chosen: Option<(usize, Rejected<'_>)> = None;
    for (i, body, answer) in along(transcript, window) {
        run.extend_from_slice(&transcript.header);
        if let Some(sides) = at.get(&i).filter(|_| window.targets.contains(&i)) {
            let parent = trunk;
            trunk = Some(tree.push(parent, &run)?);
            declare(&mut tree, &mut pairs, parent, trunk, chosen.take())?;
            run = Vec::new();
            let rejected = |(pair, body): &(Pair, &'a Body)| (*pair, body.at(i == window.start));
            chosen = Some((body.len(), sides.iter().map(rejected).collect()));
        }
        run.extend_from_slice(body);
        run.extend_from_slice(answer);
    }
    let parent = trunk;
    trunk = Some(tree.push(parent, &run)?);
    declare(&mut tree, &mut pairs, parent, trunk, chosen)?;
    Ok(PairTree { tree, pairs })
}

/// Declares the chosen body at the start of segment `here`, and its rejected ones as leaves beside it.
fn declare(
    tree: &mut TokenTree,
    pairs: &mut Vec<PairSpans>,
    parent: Option<SegmentId>,
    here: Option<SegmentId>,
    chosen: Option<(usize, Rejected<'_>)>,
) -> Result<()> {
    let (Some(segment), Some((len, sides))) = (here, chosen) else { return Ok(()) };
    for (pair, rejected) in sides {
        let first = tree.spans().len();
        tree.target(Span { segment, start: 0, len })?;
        let leaf = tree.push(parent, rejected)?;
        tree.target(Span { segment: leaf, start: 0, len: rejected.len() })?;
        pairs.push(PairSpans { pair, chosen: first, rejected: first + 1 });
    }
    Ok(())
}

/// The steps of a window: index, body, and what follows (nothing behind the last target).
fn along<'a>(transcript: &'a Transcript, window: &Window) -> impl Iterator<Item = (usize, &'a [u32], &'a [u32])> {
    let last = window.targets.last().copied().unwrap_or(window.start);
    let oldest = window.start;
    transcript.exchanges.iter().enumerate().take(last + 1).skip(oldest).map(move |(i, e)| {
        let answer: &[u32] = if i < last { &e.answer } else { &[] };
        (i, e.body.at(i == oldest), answer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Template;
    use crate::tokens::Renderer;
    use crate::tokens::testing::{conversation, renderer};
    use proptest::prelude::*;

    const WIDE: Limits = Limits { max_tokens: 100_000, reserve_tokens: 100 };

    fn transcript(r: &Renderer, programs: &[&str]) -> Transcript {
        Transcript::new(r, &conversation(programs)).unwrap()
    }

    /// Each pair with the body that its rejected submission has in the transcript: whole programs are the same in any place.
    fn sides(t: &Transcript, pairs: &[Pair]) -> Vec<(Pair, Body)> {
        pairs.iter().map(|pair| (*pair, t.exchanges[pair.rejected].body.clone())).collect()
    }

    /// The text of each span.
    fn targets(r: &Renderer, tree: &TokenTree) -> Vec<String> {
        let flat = tree.flatten();
        let text = |range: std::ops::Range<usize>| {
            let ids: Vec<u32> = flat.edges[range].iter().map(|e| flat.tokens[e.child]).collect();
            r.tokenizer().decode(&ids).unwrap()
        };
        tree.edge_ranges().into_iter().map(text).collect()
    }

    #[test]
    fn targets_are_programs_and_stop_tokens_and_nothing_else() {
        for template in [Template::Chatml, Template::Qwen3] {
            let r = renderer(template);
            let c = conversation(&["a = 1", "a = 2"]);
            let built = conversation_trees(&Transcript::new(&r, &c).unwrap(), WIDE, 0).unwrap();
            assert_eq!((built.trees.len(), built.trees[0].steps.as_slice()), (1, &[0, 1][..]));
            let tree = &built.trees[0].tree;
            let body = |code: &str| format!("```python\n{code}\n```<|im_end|>");
            assert_eq!(targets(&r, tree), [body("a = 1"), body("a = 2")]);
            // The chain is the conversation without what follows the last target.
            let text = r.tokenizer().decode(&tree.path(SegmentId(0))).unwrap();
            assert_eq!(text, r.text(&c.turns[..5]).strip_suffix('\n').unwrap());
        }
    }

    #[test]
    fn the_first_submission_can_be_left_out() {
        let r = renderer(Template::Chatml);
        let t = transcript(&r, &["a = 1", "a = 2"]);
        assert_eq!(conversation_trees(&t, WIDE, 1).unwrap().trees[0].steps, [1]);
        assert!(conversation_trees(&t, WIDE, 2).unwrap().trees.is_empty());
    }

    #[test]
    fn a_rejected_submission_is_a_leaf_behind_the_same_history() {
        let r = renderer(Template::Chatml);
        let t = transcript(&r, &["a = 0", "a = 1", "a = 2", "a = 3"]);
        let pairs = [Pair { chosen: 1, rejected: 3 }, Pair { chosen: 2, rejected: 3 }];
        let built = pair_trees(&t, &sides(&t, &pairs), WIDE).unwrap();
        assert_eq!((built.trees.len(), built.too_long.len()), (1, 0));
        let PairTree { tree, pairs: spans } = &built.trees[0];
        assert_eq!(spans.iter().map(|p| p.pair).collect::<Vec<_>>(), pairs);
        let text = targets(&r, tree);
        for p in spans {
            assert_eq!(text[p.chosen], format!("```python\na = {}\n```<|im_end|>", p.pair.chosen));
            assert_eq!(text[p.rejected], format!("```python\na = {}\n```<|im_end|>", p.pair.rejected));
            // Both sides go on from the prompt of the chosen step.
            let prompt = t.prompt(p.pair.chosen, WIDE).unwrap().tokens;
            for side in [p.chosen, p.rejected] {
                let span = tree.spans()[side];
                let mut expected = prompt.clone();
                let step = if side == p.chosen { p.pair.chosen } else { p.pair.rejected };
                expected.extend(t.exchanges[step].body.at(false));
                assert!(tree.path(span.segment).starts_with(&expected));
            }
            let leaf = tree.spans()[p.rejected];
            assert_eq!(tree.path(leaf.segment).len(), prompt.len() + leaf.len, "nothing follows a rejected one");
        }
        // The trunk is encoded once: two leaves more than the chain up to the last chosen one.
        let chain = t.prompt(2, WIDE).unwrap().tokens.len() + t.exchanges[2].body.at(false).len();
        assert_eq!(tree.len(), chain + 2 * t.exchanges[3].body.at(false).len());
    }

    #[test]
    fn pairs_that_do_not_fit_are_named() {
        let r = renderer(Template::Chatml);
        let long = "x = 1\n".repeat(200);
        let t = transcript(&r, &["a = 0", "a = 1", "a = 2", long.as_str(), "a = 4"]);
        let pairs = [Pair { chosen: 1, rejected: 3 }, Pair { chosen: 2, rejected: 4 }, Pair { chosen: 9, rejected: 1 }];
        let limits = Limits { max_tokens: 400, reserve_tokens: 50 };
        let built = pair_trees(&t, &sides(&t, &pairs), limits).unwrap();
        assert_eq!(built.too_long, pairs[..1]);
        assert_eq!(built.trees.len(), 1);
        assert_eq!(built.trees[0].pairs[0].pair, pairs[1]);
    }

    proptest! {
        #[test]
        fn every_step_that_fits_is_a_target_once_and_no_tree_is_too_long(
            lengths in proptest::collection::vec(1..30usize, 1..8),
            max_tokens in 30..400usize, reserve_tokens in 0..200usize, first in 0..2usize,
        ) {
            let r = renderer(Template::Chatml);
            let programs: Vec<String> = lengths.iter().map(|n| "x = 1\n".repeat(*n)).collect();
            let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
            let t = transcript(&r, &programs);
            let limits = Limits { max_tokens, reserve_tokens };
            let built = conversation_trees(&t, limits, first).unwrap();
            let mut steps: Vec<usize> = built.trees.iter().flat_map(|w| w.steps.clone()).collect();
            steps.extend(&built.too_long);
            steps.sort_unstable();
            prop_assert_eq!(steps, (first..programs.len()).collect::<Vec<_>>());
            for w in &built.trees {
                prop_assert!(w.tree.len() <= max_tokens);
                let ids = |i: usize| t.exchanges[w.steps[i]].body.at(false).to_vec();
                let flat = w.tree.flatten();
                for (i, range) in w.tree.edge_ranges().into_iter().enumerate() {
                    let drawn: Vec<u32> = flat.edges[range].iter().map(|e| flat.tokens[e.child]).collect();
                    prop_assert_eq!(drawn, ids(i));
                }
            }
        }

        #[test]
        fn every_pair_is_in_one_tree_or_named(
            lengths in proptest::collection::vec(1..20usize, 3..8),
            max_tokens in 30..400usize, reserve_tokens in 0..200usize,
        ) {
            let r = renderer(Template::Chatml);
            let programs: Vec<String> =
                lengths.iter().enumerate().map(|(i, n)| format!("y = {i}\n{}", "x = 1\n".repeat(*n))).collect();
            let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
            let t = transcript(&r, &programs);
            let pairs: Vec<Pair> = (1..programs.len() - 1).map(|i| Pair { chosen: i, rejected: i + 1 }).collect();
            let built = pair_trees(&t, &sides(&t, &pairs), Limits { max_tokens, reserve_tokens }).unwrap();
            let mut seen: Vec<Pair> = built.trees.iter().flat_map(|w| w.pairs.iter().map(|p| p.pair)).collect();
            seen.extend(&built.too_long);
            seen.sort_unstable();
            prop_assert_eq!(seen, pairs);
            for w in &built.trees {
                let longest = w.tree.spans().iter().map(|s| w.tree.path(s.segment).len()).max().unwrap();
                prop_assert!(longest <= max_tokens);
                let text = targets(&r, &w.tree);
                for p in &w.pairs {
                    let chosen = format!("y = {}\n", p.pair.chosen);
                    prop_assert!(text[p.chosen].contains(&chosen));
                    let rejected = format!("y = {}\n", p.pair.rejected);
                    prop_assert!(text[p.rejected].contains(&rejected));
                }
            }
        }
    }
}
