//! Where the work of two agents fails.

use std::fmt::Write as _;

use crate::report::PlaceCounts;

/// The table under a run; nothing where no agent was judged alone.
pub(super) fn told(places: &PlaceCounts) -> String {
    let table = places.table();
    if table.is_empty() {
        return String::new();
    }
    let width = places.all().to_string().len();
    let mut out = "  where pairs fail, by each agent's patch alone:\n".to_owned();
    for line in table {
        let _ = write!(out, "    {:>width$}  {}", line.pairs, line.what);
        if !line.more.is_empty() {
            let _ = write!(out, " ({})", line.more);
        }
        out.push('\n');
    }
    out
}
