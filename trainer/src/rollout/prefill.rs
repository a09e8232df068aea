//! The prompts of many learners into the cache, what they share once.

use super::{Classroom, Start};
use crate::error::{Error, Result};
use crate::generate::{Decoder, SlotId};

impl Classroom<'_> {
    /// Feeds the prompts, each shared prefix once; slots in the order start by start, sample by sample.
    pub(super) fn prefill(&self, decoder: &mut Decoder, starts: &[Start], samples: usize) -> Result<Vec<SlotId>> {
        // Prompts that are prefixes of one another stand side by side when sorted; the longest of a run is fed first.
        let mut order: Vec<usize> = (0..starts.len()).collect();
        order.sort_by(|&a, &b| starts[b].prompt.cmp(&starts[a].prompt).then(a.cmp(&b)));
        let mut slots: Vec<Option<SlotId>> = vec![None; starts.len()];
        let (mut whole, mut forks): (Vec<usize>, Vec<(usize, usize, usize)>) = (Vec::new(), Vec::new());
        for &i in &order {
            let shared = whole.last().map(|&w: &usize| (w, common_prefix(&starts[w].prompt, &starts[i].prompt)));
            match shared {
                // The last token is always fed anew: a slot's next draw follows from what was fed last.
                Some((w, len)) if 2 * len > starts[i].prompt.len() => {
                    forks.push((i, w, len.min(starts[i].prompt.len() - 1)));
                }
                _ => whole.push(i),
            }
        }
        for &i in &whole {
            slots[i] = Some(decoder.open());
        }
        let missing = || Error::Failed("a start has no slot".into());
        let items: Vec<(SlotId, &[u32])> =
            whole.iter().filter_map(|&i| Some((slots[i]?, starts[i].prompt.as_slice()))).collect();
        decoder.feed(&items)?;
        for &(i, from, len) in &forks {
            slots[i] = Some(decoder.fork(slots[from].ok_or_else(missing)?, len)?);
        }
        let items: Vec<(SlotId, &[u32])> =
            forks.iter().filter_map(|&(i, _, len)| Some((slots[i]?, &starts[i].prompt[len..]))).collect();
        decoder.feed(&items)?;
        let mut all = Vec::with_capacity(starts.len() * samples);
        for (slot, start) in slots.into_iter().zip(starts) {
            let slot = slot.ok_or_else(missing)?;
            all.push(slot);
            for _ in 1..samples {
                all.push(decoder.fork(slot, start.prompt.len())?);
            }
        }
        Ok(all)
    }
}

fn common_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}
