//! The learner's loop over a remote model: ask, grade in the sandbox, append the answer and the feedback, ask again.

use super::Beginning;
use super::ask::Asker;
use super::request::Identity;
use crate::dialogue::Role;
use crate::error::{Error, Result};
use crate::rollout::{End, HandedIn, Rollout, Rules, Turn, submitted};
use crate::workshop::{Said, Workshop};

/// One rollout. A beginning that does not fit into `dialogue.max_tokens` gives an empty one, as for a model of the run.
///
/// # Errors
/// As [`Asker::ask`]; the tokenizer's.
pub(super) async fn learn(asker: &Asker, workshop: &Workshop, begin: Beginning<'_>) -> Result<Rollout> {
    let Workshop { renderer, evaluated: dialogue, pool, .. } = workshop;
    let limits = workshop.rollout_limits(workshop.run.evaluate.horizon, workshop.run.evaluate.max_new_tokens);
    let problem = workshop.problem(&begin.trajectory.problem)?;
    let Some(said) = workshop.said(begin.trajectory, begin.position)? else {
        return Ok(Rollout { end: Some(End::OutOfTokens), ..Rollout::default() });
    };
    let Said { turns: mut messages, mut tokens, program: mut before } = said;
    let rules = Rules { renderer, dialogue, limits: &limits };
    let mut rollout = Rollout::default();
    while rollout.end.is_none() {
        let identity = Identity {
            student: begin.trajectory.student.clone(),
            problem: begin.trajectory.problem.clone(),
            start: begin.position,
            sample: 0,
            turn: rollout.turns.len(),
        };
        let said = asker.ask(&messages, identity).await?;
        let stopped = said.complete();
        let HandedIn { program, malformed } = submitted(dialogue, &said.text, stopped, before.as_deref());
        let report = match &program {
            Some(program) => {
                let ticket = pool.submit(problem.clone(), program.clone());
                let graded = tokio::task::spawn_blocking(|| ticket.wait()).await;
                Some(graded.map_err(|e| Error::Failed(format!("a grading was lost: {e}")))?)
            }
            None => None,
        };
        before.clone_from(&program);
        let tokens_said = renderer.tokenizer().encode(&said.text)?;
        let turn =
            Turn { tokens: tokens_said, stopped, text: said.text, program, malformed, report, ..Turn::default() };
        // What a model of the run would have no room for is not asked of this one either.
        if let Some(turn) = rollout.take(turn, true, &mut tokens, rules)? {
            messages.extend([(Role::Assistant, turn.text.clone()), (Role::User, turn.feedback.clone())]);
        }
    }
    Ok(rollout)
}
