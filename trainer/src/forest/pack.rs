//! [`pack()`]: which trees share a forward pass.
//!
//! First-fit decreasing: the longest tree first, each into the first pass with room for it. At most 11/9 of the least
//! possible number of passes plus a constant (Johnson, 1973). The first pass with room is found in a tournament tree, so
//! packing n trees takes O(n log n).

/// Packs trees of the given lengths (in tokens) into passes of at most `budget` tokens; a longer tree is a pass of its
/// own. Returns the indices of the trees of each pass, ascending. The same lengths give the same passes.
pub fn pack(lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let budget = budget.max(1);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lengths[i]), i));
    let leaves = lengths.len().next_power_of_two();
    // room[1] is the root, room[leaves + p] what pass p has left; each inner node holds the larger of its children.
    let mut room = vec![budget; 2 * leaves];
    let mut passes: Vec<Vec<usize>> = Vec::new();
    for tree in order {
        // A tree beyond the budget takes a whole pass, which is then full.
        let need = lengths[tree].min(budget);
        let mut node = 1;
        while node < leaves {
            node = if room[2 * node] >= need { 2 * node } else { 2 * node + 1 };
        }
        let pass = node - leaves;
        if pass == passes.len() {
            passes.push(Vec::new());
        }
        passes[pass].push(tree);
        room[node] -= need;
        while node > 1 {
            node /= 2;
            room[node] = room[2 * node].max(room[2 * node + 1]);
        }
    }
    for pass in &mut passes {
        pass.sort_unstable();
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_go_first_and_the_gaps_are_filled() {
        assert_eq!(pack(&[3, 9, 2, 5, 20, 5], 10), [vec![4], vec![1], vec![3, 5], vec![0, 2]]);
        assert!(pack(&[], 10).is_empty());
        assert_eq!(pack(&[1, 1], 0), [[0], [1]]);
    }

    proptest! {
        #[test]
        fn each_tree_once_and_no_pass_too_long(
            lengths in prop::collection::vec(1usize..60, 0..80),
            budget in 1usize..100,
        ) {
            let passes = pack(&lengths, budget);
            let mut seen: Vec<usize> = passes.iter().flatten().copied().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            let filled = |pass: &Vec<usize>| pass.iter().map(|&i| lengths[i]).sum::<usize>();
            for pass in &passes {
                prop_assert!(filled(pass) <= budget || pass.len() == 1);
            }
            // First fit leaves at most one pass half empty or less.
            let slack = passes.iter().filter(|p| 2 * filled(p) <= budget).count();
            prop_assert!(slack <= 1, "{} of {} passes are at most half full", slack, passes.len());
            prop_assert_eq!(&passes, &pack(&lengths, budget));
        }
    }
}
