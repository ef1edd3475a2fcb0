//! What follows from sums: counts of a table as the edges of a graph.
//!
//! Rows, columns and the whole are nodes; a count is an edge, of a group of two attributes between its row
//! and its column, of a group of one between its row (or column) and the whole. At every node what comes in
//! is what goes out, so that an unknown count follows from the known ones if and only if no ring of unknown
//! counts goes through it.

/// A count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    /// Its two nodes.
    between: (usize, usize),
    /// How many cases it is of; none is no edge, for that nobody is there is seen anyway.
    cases: u64,
    /// Whether it is withheld.
    pub(super) unknown: bool,
}

/// How much dearer it is to withhold a group of one attribute than a cell: whatever is compared with it goes,
/// too.
const SUM: u64 = 1 << 24;

/// The groups of one attribute, whose sum is known.
pub(super) fn star(sizes: &[u64], hidden: &[bool]) -> Vec<Edge> {
    let edge = |(cases, unknown): (&u64, &bool)| Edge {
        between: (0, 1),
        cases: *cases,
        unknown: *unknown,
    };
    sizes.iter().zip(hidden).map(edge).collect()
}

/// The groups of an intersection: rows come first among nodes, then columns.
pub(super) fn table(sizes: &[u64], hidden: &[bool], columns: usize) -> Vec<Edge> {
    let columns = columns.max(1);
    let rows = sizes.len() / columns;
    let edge = |(at, edge): (usize, Edge)| Edge {
        between: (at / columns, rows + at % columns),
        ..edge
    };
    star(sizes, hidden)
        .into_iter()
        .enumerate()
        .map(edge)
        .collect()
}

/// The groups of one of its attributes, from this node on.
pub(super) fn margin(sizes: &[u64], hidden: &[bool], from: usize, total: usize) -> Vec<Edge> {
    let edge = |(at, edge): (usize, Edge)| Edge {
        between: (from + at, total),
        cases: edge.cases.saturating_mul(SUM),
        ..edge
    };
    star(sizes, hidden)
        .into_iter()
        .enumerate()
        .map(edge)
        .collect()
}

/// Withholds, for each unknown count that would follow from the known ones, the counts of fewest cases that
/// close a ring with it. A count that no ring can go through stays alone.
pub(super) fn close(edges: &mut [Edge]) {
    for at in 0..edges.len() {
        if edges[at].unknown && edges[at].cases > 0 {
            for next in cheapest(edges, at) {
                edges[next].unknown = true;
            }
        }
    }
}

/// The way of fewest cases from one node of an edge to the other without it, by Bellman and Ford's method:
/// what is unknown already costs nothing.
fn cheapest(edges: &[Edge], without: usize) -> Vec<usize> {
    let (from, to) = edges[without].between;
    let nodes = edges.iter().map(|e| e.between.0.max(e.between.1) + 1);
    let nodes = nodes.max().unwrap_or(0);
    let mut known: Vec<Option<(u64, usize, usize)>> = vec![None; nodes];
    known[from] = Some((0, from, without));
    let cost = |edge: &Edge| if edge.unknown { 0 } else { edge.cases };
    for _ in 0..nodes {
        for (at, edge) in edges.iter().enumerate() {
            if at == without || edge.cases == 0 {
                continue;
            }
            let (a, b) = edge.between;
            for (here, there) in [(a, b), (b, a)] {
                let Some((so_far, ..)) = known[here] else {
                    continue;
                };
                let all = so_far.saturating_add(cost(edge));
                if there != from && known[there].is_none_or(|(least, ..)| all < least) {
                    known[there] = Some((all, here, at));
                }
            }
        }
    }
    let (mut way, mut node) = (Vec::new(), to);
    while node != from && way.len() <= nodes {
        let Some((_, before, by)) = known[node] else {
            return Vec::new();
        };
        way.push(by);
        node = before;
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(edges: &[Edge]) -> Vec<bool> {
        edges.iter().map(|edge| edge.unknown).collect()
    }

    #[test]
    fn one_group_takes_the_next_smallest_with_it() {
        let mut edges = star(&[500, 7, 90, 0], &[false, true, false, false]);
        close(&mut edges);
        assert_eq!(hidden(&edges), [false, true, true, false]);
        let mut alone = star(&[7, 0], &[true, false]);
        close(&mut alone);
        assert_eq!(hidden(&alone), [true, false]);
    }

    #[test]
    fn one_cell_takes_three_more_that_close_a_ring() {
        // Rows f and m, columns N, S, W, E.
        let sizes = [10, 300, 200, 400, 777, 310, 250, 500];
        let mut small = [false; 8];
        small[0] = true;
        let mut edges = table(&sizes, &small, 4);
        edges.extend(margin(&[910, 1837], &[false; 2], 0, 6));
        edges.extend(margin(&[787, 610, 450, 900], &[false; 4], 2, 6));
        close(&mut edges);
        let expected = [true, false, true, false, true, false, true, false];
        assert_eq!(hidden(&edges[..8]), expected);
        assert!(
            edges[8..].iter().all(|edge| !edge.unknown),
            "sums are shown"
        );
    }

    #[test]
    fn a_withheld_sum_is_not_told_by_its_cells() {
        let mut edges = table(&[30, 40, 50, 60], &[false; 4], 2);
        edges.extend(margin(&[70, 110], &[true, true], 0, 4));
        edges.extend(margin(&[80, 100], &[false; 2], 2, 4));
        close(&mut edges);
        // One column's two cells close the ring of the two rows and the whole.
        assert_eq!(hidden(&edges[..4]), [true, false, true, false]);
    }
}
