//! What comes before what, as a graph: is there a circle, and what can be reached from where?

use std::collections::VecDeque;

/// Nodes, and edges with a reason.
#[derive(Debug)]
pub(super) struct Graph<R> {
    edges: Vec<Vec<(Node, R)>>,
}

/// A node, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node(usize);

/// Which nodes are in a set.
#[derive(Debug)]
pub(super) struct NodeSet(Vec<bool>);

impl<R: Copy> Graph<R> {
    pub(super) fn new() -> Self {
        Self { edges: Vec::new() }
    }

    pub(super) fn add_node(&mut self) -> Node {
        self.edges.push(Vec::new());
        Node(self.edges.len() - 1)
    }

    pub(super) fn add_edge(&mut self, from: Node, to: Node, reason: R) {
        self.edges[from.0].push((to, reason));
    }

    pub(super) fn reversed(&self) -> Self {
        let mut edges = vec![Vec::new(); self.edges.len()];
        for (from, targets) in self.edges.iter().enumerate() {
            for &(to, reason) in targets {
                edges[to.0].push((Node(from), reason));
            }
        }
        Self { edges }
    }

    /// These nodes and all that can be reached from them.
    pub(super) fn reached_from(&self, sources: impl IntoIterator<Item = Node>) -> NodeSet {
        let sources: Vec<_> = sources.into_iter().collect();
        let mut reached = self.reached_after(sources.iter().copied());
        for source in sources {
            reached.0[source.0] = true;
        }
        reached
    }

    /// All that can be reached by at least one edge from one of these nodes.
    pub(super) fn reached_after(&self, sources: impl IntoIterator<Item = Node>) -> NodeSet {
        let mut reached = vec![false; self.edges.len()];
        let mut open: Vec<Node> = sources.into_iter().collect();
        while let Some(node) = open.pop() {
            for &(next, _) in &self.edges[node.0] {
                if !std::mem::replace(&mut reached[next.0], true) {
                    open.push(next);
                }
            }
        }
        NodeSet(reached)
    }

    /// A circle, if there is one: each node with the reason why it comes before the next, the last one's next being the
    /// first. Of those through one node it is a shortest.
    pub(super) fn circle(&self) -> Option<Vec<(Node, R)>> {
        let on_circle = self.node_on_circle()?;
        let mut came_from = vec![None; self.edges.len()];
        let mut open = VecDeque::from([on_circle]);
        while let Some(node) = open.pop_front() {
            for &(next, reason) in &self.edges[node.0] {
                if came_from[next.0].is_none() {
                    came_from[next.0] = Some((node, reason));
                    open.push_back(next);
                }
            }
        }
        let mut circle = Vec::new();
        let mut at = on_circle;
        loop {
            let (before, reason) = came_from[at.0].expect("the node is on a circle, so the search came back to it");
            circle.push((before, reason));
            at = before;
            if at == on_circle {
                circle.reverse();
                return Some(circle);
            }
        }
    }

    fn node_on_circle(&self) -> Option<Node> {
        let reversed = self.reversed();
        // Takes away what nothing comes before, again and again: a circle is never taken.
        let mut before: Vec<usize> = reversed.edges.iter().map(Vec::len).collect();
        let mut free: Vec<usize> = (0..before.len()).filter(|&node| before[node] == 0).collect();
        let mut left = before.len();
        while let Some(node) = free.pop() {
            left -= 1;
            for (next, _) in &self.edges[node] {
                before[next.0] -= 1;
                if before[next.0] == 0 {
                    free.push(next.0);
                }
            }
        }
        if left == 0 {
            return None;
        }
        // Whatever is left has something left before it: walked backwards, it ends in a circle.
        let mut at = before.iter().position(|&count| count > 0).map(Node).expect("something is left");
        let mut walked = vec![false; before.len()];
        while !std::mem::replace(&mut walked[at.0], true) {
            let earlier = reversed.edges[at.0].iter().find(|(earlier, _)| before[earlier.0] > 0);
            at = earlier.expect("what is left waits for something that is left").0;
        }
        Some(at)
    }
}

impl NodeSet {
    pub(super) fn contains(&self, node: Node) -> bool {
        self.0[node.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: usize, edges: &[(usize, usize)]) -> Graph<()> {
        let mut graph = Graph::new();
        for _ in 0..nodes {
            graph.add_node();
        }
        for &(from, to) in edges {
            graph.add_edge(Node(from), Node(to), ());
        }
        graph
    }

    fn check(nodes: usize, edges: &[(usize, usize)], want: Option<&[usize]>) {
        let circle = graph(nodes, edges).circle();
        let got = circle.map(|circle| {
            let mut nodes: Vec<_> = circle.iter().map(|(node, ())| node.0).collect();
            let first = nodes.iter().position(|node| nodes.iter().all(|other| node <= other)).expect("it has nodes");
            nodes.rotate_left(first);
            nodes
        });
        assert_eq!(got.as_deref(), want, "{edges:?}");
    }

    #[test]
    fn a_circle_is_found_and_is_short() {
        check(0, &[], None);
        check(4, &[(0, 1), (1, 2), (0, 3), (3, 2)], None);
        check(3, &[(0, 1), (1, 2), (2, 0)], Some(&[0, 1, 2]));
        check(2, &[(0, 1), (1, 1)], Some(&[1]));
        // What leads to a circle and what follows it are not part of it.
        check(6, &[(0, 1), (1, 2), (2, 1), (2, 3), (3, 4), (0, 5)], Some(&[1, 2]));
        // A long way round and a short one.
        check(5, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (2, 0)], Some(&[0, 1, 2]));
    }

    #[test]
    fn what_is_reached_is_what_comes_after() {
        let graph = graph(5, &[(0, 1), (1, 2), (3, 2)]);
        let nodes = |set: &NodeSet| (0..5).filter(|&node| set.contains(Node(node))).collect::<Vec<_>>();
        assert_eq!(nodes(&graph.reached_from([Node(1), Node(4)])), [1, 2, 4]);
        assert_eq!(nodes(&graph.reached_after([Node(1), Node(4)])), [2]);
        assert_eq!(nodes(&graph.reached_after([Node(0), Node(1)])), [1, 2]);
        assert_eq!(nodes(&graph.reversed().reached_from([Node(2)])), [0, 1, 2, 3]);
    }
}
