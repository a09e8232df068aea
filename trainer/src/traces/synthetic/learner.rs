//! One learner at one problem, from the first submission to the last.
//!
//! The learner's program is the right program, in its own hand, with the patches of its mistakes. At each turn it submits,
//! and then, unless the program is right or it gives up, does one of these: sends the same text again; makes an edit that
//! changes nothing that matters; puts another wrong thing in the place of a mistake; makes a new mistake (often while repairing
//! one); or repairs one. What stops the program from running is repaired first, mostly, for that is what the
//! error message names.

use super::SyntheticSettings;
use super::draw::Draw;
use super::mistakes::{Mistake, MistakeClass, possible};
use super::patch::{Patch, apply};
use super::source::Source;
use super::style::Style;

use ruff_text_size::Ranged;

/// No program has more mistakes at once.
const MOST_MISTAKES: usize = 5;

/// By how much each submission lowers the chance of a further wrong edit.
const FAMILIARITY: f64 = 0.93;

/// The share of the mistakes that parse which raise an exception.
const RUNTIME_SHARE: f64 = 0.22;

/// What a learner is like, at every problem. Each trait is in 0..=1.
#[derive(Debug, Clone)]
pub(super) struct Traits {
    /// Makes fewer mistakes at first and mends them sooner.
    skill: f64,
    /// Resubmits, breaks and misplaces less.
    care: f64,
    /// Gives up less.
    persistence: f64,
    style: Style,
}

impl Traits {
    pub(super) fn draw(draw: &mut Draw) -> Self {
        // The mean of two uniform draws: most learners are near the middle.
        let mut middling = || (draw.unit() + draw.unit()) / 2.0;
        let (skill, care, persistence) = (middling(), middling(), middling());
        Traits { skill, care, persistence, style: Style::draw(draw) }
    }
}

/// An edit that the tests cannot see, or that only shows in the output.
struct Extra {
    patch: Patch,
    /// A debugging print, taken out before the end.
    print: bool,
}

/// The learner's desk: the right program, what can go wrong in it, and what is wrong now.
struct Desk<'a> {
    source: &'a Source<'a>,
    possible: Vec<Mistake>,
    made: Vec<Mistake>,
    extras: Vec<Extra>,
    syntax_share: f64,
}

/// The submissions of one learner at a problem with these solutions; empty if none of them parses.
pub(super) fn work(
    solutions: &[String],
    traits: &Traits,
    settings: &SyntheticSettings,
    draw: &mut Draw,
) -> Vec<String> {
    let usable: Vec<&String> = solutions.iter().filter(|code| Source::new(code).is_some()).collect();
    let Some(solution) = draw.pick(&usable) else { return Vec::new() };
    let right = traits.style.write(solution);
    let Some(source) = Source::new(&right) else { return Vec::new() };
    let mut desk = Desk {
        possible: possible(&source),
        source: &source,
        made: Vec::new(),
        extras: Vec::new(),
        syntax_share: settings.syntax_share,
    };
    if !draw.chance(settings.first_try_rate * 2.0 * traits.skill) {
        for _ in 0..first_mistakes(traits, settings, draw) {
            desk.make_mistake(draw);
        }
    }
    let mut submissions = vec![desk.program()];
    while submissions.len() < settings.max_submissions && !desk.is_right() {
        let gives_up = draw.chance(settings.give_up_rate * 2.0 * (1.0 - traits.persistence));
        if gives_up && submissions.len() >= 2 {
            break;
        }
        if !draw.chance(settings.resubmit_rate) {
            desk.turn(submissions.len(), traits, settings, draw);
        }
        submissions.push(desk.program());
    }
    submissions
}

/// One to five, fewer for the skilled.
fn first_mistakes(traits: &Traits, settings: &SyntheticSettings, draw: &mut Draw) -> usize {
    (0..4).filter(|_| draw.chance(settings.further_mistake_rate * (1.5 - traits.skill))).count() + 1
}

impl Desk<'_> {
    fn program(&self) -> String {
        let mistakes = self.made.iter().map(|mistake| &mistake.patch);
        apply(self.source.code, mistakes.chain(self.extras.iter().map(|extra| &extra.patch)))
    }

    /// Whether nothing wrong is left: neither a mistake nor a debugging print.
    fn is_right(&self) -> bool {
        self.made.is_empty() && !self.extras.iter().any(|extra| extra.print)
    }

    fn is_free(&self, patch: &Patch) -> bool {
        !self.made.iter().any(|mistake| mistake.patch.meets(patch))
            && !self.extras.iter().any(|extra| extra.patch.meets(patch))
    }

    /// One edit, after so many submissions.
    fn turn(&mut self, submitted: usize, traits: &Traits, settings: &SyntheticSettings, draw: &mut Draw) {
        // What goes wrong goes wrong less often as the learner gets to know the problem.
        let clumsiness = (1.5 - traits.care) * FAMILIARITY.powf(submitted as f64 - 1.0);
        let cosmetic = settings.cosmetic_rate;
        let wrong = settings.wrong_edit_rate * clumsiness;
        // A program that runs invites tinkering; an error message keeps the learner to the point.
        let runs = self.made.iter().all(|mistake| mistake.kind.class() == MistakeClass::Logic);
        let new = settings.new_mistake_rate * clumsiness * if runs { 1.6 } else { 0.4 };
        match draw.weighted(&[cosmetic, wrong, new, (1.0 - cosmetic - wrong - new).max(0.1)]) {
            Some(0) if self.add_extra(draw) => {}
            Some(1) if self.exchange(draw) => {}
            Some(2) if self.break_something(draw) => {}
            _ => {
                self.repair(draw);
                if draw.chance(0.5 * traits.skill) && self.made.len() > 1 {
                    self.repair(draw);
                }
            }
        }
    }

    /// Makes a mistake somewhere free; false if there is no room for one.
    fn make_mistake(&mut self, draw: &mut Draw) -> bool {
        let free: Vec<&Mistake> = self.possible.iter().filter(|mistake| self.is_free(&mistake.patch)).collect();
        // At most one syntax error at a time, mostly: the first one hides the others from the learner too.
        let has_syntax = self.made.iter().any(|mistake| mistake.kind.class() == MistakeClass::Syntax);
        let syntax_share = if has_syntax { self.syntax_share * 0.2 } else { self.syntax_share };
        let chosen = self.weigh(&free, syntax_share, draw).cloned();
        self.made.extend(chosen.clone());
        chosen.is_some()
    }

    /// Draws a kind by its weight and class, then one of its places.
    fn weigh<'m>(&self, free: &[&'m Mistake], syntax_share: f64, draw: &mut Draw) -> Option<&'m Mistake> {
        let count = |of: &dyn Fn(&Mistake) -> bool| free.iter().filter(|it| of(it)).count().max(1) as f64;
        let weights: Vec<f64> = free
            .iter()
            .map(|mistake| {
                let share = match mistake.kind.class() {
                    MistakeClass::Syntax => syntax_share,
                    MistakeClass::Runtime => (1.0 - syntax_share) * RUNTIME_SHARE,
                    MistakeClass::Logic => (1.0 - syntax_share) * (1.0 - RUNTIME_SHARE),
                };
                let of_kind = count(&|other| other.kind == mistake.kind);
                let of_class: f64 = kind_weights(free, mistake.kind.class());
                share * mistake.kind.weight() / (of_kind * of_class)
            })
            .collect();
        free.get(draw.weighted(&weights)?).copied()
    }

    /// Which mistake the learner sees: mostly the one the error message points at.
    fn noticed(&self, draw: &mut Draw) -> Option<usize> {
        let visible = |mistake: &Mistake| match mistake.kind.class() {
            MistakeClass::Syntax => 30.0,
            MistakeClass::Runtime => 4.0,
            MistakeClass::Logic => 1.0,
        };
        draw.weighted(&self.made.iter().map(visible).collect::<Vec<f64>>())
    }

    /// Mends one mistake; with the last one the debugging prints go too.
    fn repair(&mut self, draw: &mut Draw) {
        if let Some(index) = self.noticed(draw) {
            self.made.remove(index);
        }
        if self.made.is_empty() {
            self.extras.retain(|extra| !extra.print);
        }
    }

    /// Puts another wrong thing in the place of a mistake; false if there is none.
    fn exchange(&mut self, draw: &mut Draw) -> bool {
        let Some(index) = self.noticed(draw).filter(|index| *index < self.made.len()) else { return false };
        let old = self.made.remove(index);
        let others: Vec<&Mistake> = self
            .possible
            .iter()
            .filter(|other| other.patch != old.patch && other.patch.meets(&old.patch) && self.is_free(&other.patch))
            .collect();
        let chosen = draw.pick(&others).map(|other| (*other).clone());
        let found = chosen.is_some();
        self.made.push(chosen.unwrap_or(old));
        found
    }

    /// Makes a new mistake, mostly while mending another.
    fn break_something(&mut self, draw: &mut Draw) -> bool {
        let before = self.made.len();
        if before >= MOST_MISTAKES {
            return false;
        }
        let mends = draw.chance(0.7);
        if !self.make_mistake(draw) {
            return false;
        }
        if mends && before > 0 {
            self.made.remove(draw.below(before));
        }
        true
    }

    /// An edit that is no repair: a debugging print, a comment, a redundant pair of brackets.
    fn add_extra(&mut self, draw: &mut Draw) -> bool {
        let free: Vec<(Patch, bool)> =
            self.extra_patches().into_iter().filter(|(patch, _)| self.is_free(patch)).collect();
        let chosen = draw.pick(&free).cloned();
        self.extras.extend(chosen.clone().map(|(patch, print)| Extra { patch, print }));
        chosen.is_some()
    }

    fn extra_patches(&self) -> Vec<(Patch, bool)> {
        // What learners leave in their programs, the word TODO included.
        const COMMENTS: [&str; 4] = ["# why is this wrong", "# check", "# TODO", "# does this work?"];
        let mut patches = Vec::new();
        for (index, site) in self.source.statements().into_iter().enumerate() {
            let (Some(indent), lines) = (self.source.indent(site.stmt.range()), self.source.lines(site.stmt.range()))
            else {
                continue;
            };
            let blanks = self.source.slice(&indent);
            let comment = COMMENTS.get(index % COMMENTS.len()).copied().unwrap_or_default();
            patches.push((Patch::replace(lines.start..lines.start, format!("{blanks}{comment}\n")), false));
            let assigned = site.stmt.as_assign_stmt().and_then(|assign| assign.targets.first()?.as_name_expr());
            if let Some(name) = assigned {
                let print = format!("{blanks}print({})\n", name.id);
                patches.push((Patch::replace(lines.end..lines.end, print), true));
            }
            if let Some(value) = site.stmt.as_return_stmt().and_then(|it| it.value.as_deref()) {
                let range = value.range().to_std_range();
                let brackets = Patch::replace(range.start..range.start, "(").and(range.end..range.end, ")");
                patches.push((brackets, false));
            }
        }
        patches
    }
}

/// The summed weights of the kinds of a class that occur among `free`.
fn kind_weights(free: &[&Mistake], class: MistakeClass) -> f64 {
    let mut kinds = Vec::new();
    for mistake in free.iter().filter(|mistake| mistake.kind.class() == class) {
        if !kinds.contains(&mistake.kind) {
            kinds.push(mistake.kind);
        }
    }
    kinds.into_iter().map(|kind| kind.weight()).sum()
}
