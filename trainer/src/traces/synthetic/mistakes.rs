//! The novice mistakes: each a function from a correct program to the patches that make that mistake in it.
//!
//! Kinds follow the usual catalogues of novice Python errors (missing colons and brackets, assignment for comparison, off by one, return
//! inside the loop, print for return, forgotten conversions, …). Every patch changes the text; most change what the
//! program does, some are harmless by luck, as with real learners.

mod logic;
mod names;
mod reading;
mod syntax;

use super::patch::Patch;
use super::source::Source;

/// How a mistake shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum MistakeClass {
    /// The program does not parse.
    Syntax,
    /// The program raises on the way.
    Runtime,
    /// The program runs and answers wrongly.
    Logic,
}

macro_rules! mistakes {
    ($($(#[$doc:meta])* $kind:ident, $class:ident, $weight:literal, $find:path;)*) => {
        /// The kinds of mistakes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) enum MistakeKind { $($(#[$doc])* $kind,)* }

        impl MistakeKind {
            /// Every kind.
            pub(super) const ALL: &'static [MistakeKind] = &[$(MistakeKind::$kind,)*];

            /// How the mistake usually shows.
            pub(super) fn class(self) -> MistakeClass {
                match self { $(MistakeKind::$kind => MistakeClass::$class,)* }
            }

            /// How often the mistake is made, beside others of its class.
            pub(super) fn weight(self) -> f64 {
                match self { $(MistakeKind::$kind => $weight,)* }
            }

            /// Every way to make the mistake in a program.
            pub(super) fn find(self, source: &Source) -> Vec<Patch> {
                match self { $(MistakeKind::$kind => $find(source),)* }
            }
        }
    };
}

mistakes! {
    /// `if x > 0` without its colon.
    MissingColon, Syntax, 3.0, syntax::missing_colon;
    /// `print(len(x)` without its last bracket.
    MissingBracket, Syntax, 3.0, syntax::missing_bracket;
    /// A string without its closing quote.
    MissingQuote, Syntax, 1.0, syntax::missing_quote;
    /// `=` where `==` is meant.
    AssignmentForComparison, Syntax, 2.0, syntax::assignment_for_comparison;
    /// The first line of a body at the level of its header.
    BodyNotIndented, Syntax, 2.0, syntax::body_not_indented;
    /// A line of a body indented one blank too few.
    UnevenIndent, Syntax, 1.0, syntax::uneven_indent;
    /// `else if` for `elif`.
    ElseIf, Syntax, 1.5, syntax::else_if;
    /// `retrun`, `whlie`, `esle`.
    MisspeltKeyword, Syntax, 1.0, syntax::misspelt_keyword;
    /// A variable spelt differently at one of its uses.
    MisspeltVariable, Runtime, 3.0, names::misspelt_variable;
    /// `length(x)`, `Print(x)`, `string(x)`.
    WrongBuiltin, Runtime, 1.0, names::wrong_builtin;
    /// `x.add(1)` on a list, `s.lowercase()`.
    WrongMethod, Runtime, 1.5, names::wrong_method;
    /// The line that gives a variable its first value left out.
    MissingInitialisation, Runtime, 1.5, names::missing_initialisation;
    /// `input()` used as a number.
    ForgottenConversion, Runtime, 2.0, reading::forgotten_conversion;
    /// A number joined to a text without `str`.
    ForgottenStr, Runtime, 1.5, reading::forgotten_str;
    /// `range` that begins or ends one too early or too late.
    RangeOffByOne, Logic, 3.0, logic::range_off_by_one;
    /// `>` for `>=` and the like.
    WrongBoundary, Logic, 3.0, logic::wrong_boundary;
    /// `>` for `<`, `==` for `!=`.
    ReversedComparison, Logic, 1.5, logic::reversed_comparison;
    /// `+` for `-`, `+` for `*`, `/` for `%`.
    WrongOperator, Logic, 2.0, logic::wrong_operator;
    /// `/` for `//` and back.
    WrongDivision, Logic, 1.5, logic::wrong_division;
    /// `a - b` for `b - a`.
    SwappedOperands, Logic, 1.0, logic::swapped_operands;
    /// `and` for `or` and back.
    AndForOr, Logic, 1.0, logic::and_for_or;
    /// A counter that begins at 1 for 0, a text that begins with a blank.
    WrongInitialValue, Logic, 2.0, logic::wrong_initial_value;
    /// A constant in a condition or a formula that is a little off.
    WrongConstant, Logic, 1.5, logic::wrong_constant;
    /// `x[i]` read as `i`, or one place on; a slice the other way round.
    WrongIndex, Logic, 1.5, logic::wrong_index;
    /// The `return` after a loop moved into it.
    ReturnInsideLoop, Logic, 3.0, logic::return_inside_loop;
    /// No `return` at the end.
    MissingReturn, Logic, 1.5, logic::missing_return;
    /// `print` where the value should be returned.
    PrintForReturn, Logic, 2.5, logic::print_for_return;
    /// The last branch left out.
    MissingElse, Logic, 1.5, logic::missing_else;
    /// Capital letters forgotten: no `.lower()`.
    ForgottenCase, Logic, 2.0, reading::forgotten_case;
    /// A fixed value instead of what is read or passed in.
    HardCodedInput, Logic, 1.0, reading::hard_coded_input;
    /// A prompt that the expected output does not have.
    UnwantedPrompt, Logic, 2.5, reading::unwanted_prompt;
    /// Other letters, blanks or punctuation in a text that is printed or returned.
    WrongText, Logic, 1.5, reading::wrong_text;
}

/// A mistake that can be made in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) kind: MistakeKind,
    pub(super) patch: Patch,
}

/// Every mistake that can be made in a program.
pub(super) fn possible(source: &Source) -> Vec<Mistake> {
    let kinds = MistakeKind::ALL.iter();
    kinds.flat_map(|kind| kind.find(source).into_iter().map(|patch| Mistake { kind: *kind, patch })).collect()
}
