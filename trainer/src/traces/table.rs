//! Aligned tables for terminals: columns of text to the left, columns of figures to the right.

/// A table with a rule under its head, of which the first `text` columns hold text. Rows may be shorter than the head.
pub(super) fn table(text: usize, head: &[&str], rows: &[Vec<String>]) -> String {
    let mut all: Vec<Vec<&str>> = vec![head.to_vec()];
    all.extend(rows.iter().map(|row| row.iter().map(String::as_str).collect()));
    let columns = all.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| all.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (i, row) in all.iter().enumerate() {
        let mut line = String::new();
        for (c, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width - cell.chars().count());
            if c > 0 {
                line.push_str("  ");
            }
            let (before, after) = if c < text { ("", gap.as_str()) } else { (gap.as_str(), "") };
            line.push_str(&format!("{before}{cell}{after}"));
        }
        out.push_str(line.trim_end());
        out.push('\n');
        if i == 0 {
            out.push_str(&"─".repeat(widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1)));
            out.push('\n');
        }
    }
    out
}
