//! The one order: does everything agree that is known of what comes before what?
//!
//! Four things are known: the hub's own ids increase; each reader sees events as they are ordered; a publisher's
//! acknowledged publications follow each other; and what is there at some time comes before what is asked for later.
//! Together they are a graph. With a circle in it, no order can agree with all of them.

use std::collections::{BTreeMap, HashMap};

use super::Faults;
use super::book::{Book, EventIndex};
use super::graph::{Graph, Node, NodeSet};
use super::stretch::{Now, Point, Start, Step, Stretch};
use crate::fault::{Fault, OrderPoint, OrderReason, OrderStep};
use crate::name::Place;
use crate::position::HubPosition;

/// What comes before what, without a circle.
#[derive(Debug)]
pub(super) struct Order {
    graph: Graph<Reason>,
    reversed: Graph<Reason>,
    nodes: Nodes,
}

#[derive(Debug, Default)]
struct Nodes {
    events: HashMap<EventIndex, Node>,
    positions: BTreeMap<HubPosition, Node>,
    /// Each stands before the entry with this number.
    moments: BTreeMap<usize, Node>,
    /// Where a stretch began that asked for no event in particular.
    starts: HashMap<Place, Node>,
}

/// Why one node comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Ids,
    /// The stretch with this number.
    Seen(usize),
    Publisher(u32),
    Time,
}

impl Order {
    /// The order, or a fault: the circle that keeps it from being one.
    pub(super) fn find(book: &Book<'_>, stretches: &[Stretch], faults: &mut Faults) -> Option<Self> {
        let mut draft = Draft { graph: Graph::new(), nodes: Nodes::default() };
        draft.add_events(book);
        for (index, stretch) in stretches.iter().enumerate() {
            draft.add_stretch(book, index, stretch);
        }
        draft.chain_positions();
        draft.chain_moments();
        let Draft { graph, nodes } = draft;
        if let Some(circle) = graph.circle() {
            faults.add(Fault::NoOneOrder { steps: steps(&circle, &nodes.labels(book), stretches) });
            return None;
        }
        Some(Self { reversed: graph.reversed(), graph, nodes })
    }

    /// What certainly comes after a stretch's start; `None` is everything.
    pub(super) fn after_start(&self, stretch: &Stretch) -> Option<NodeSet> {
        let Start { is_all, after, now } = &stretch.start;
        if *is_all {
            return None;
        }
        let now = now.and_then(|_| self.nodes.starts.get(&stretch.place)).copied();
        // What came is after the start, wherever that was.
        let first = stretch.steps.first().map(|step| &step.point);
        let points = after.iter().chain(first).filter_map(|point| self.nodes.of_point(point));
        Some(self.graph.reached_after(points.chain(now)))
    }

    /// What certainly comes before a step, with it.
    pub(super) fn before(&self, step: &Step) -> Option<NodeSet> {
        Some(self.reversed.reached_from([self.nodes.of_point(&step.point)?]))
    }

    /// What certainly comes after an event, with it.
    pub(super) fn after(&self, event: EventIndex) -> Option<NodeSet> {
        Some(self.graph.reached_from([self.event(event)?]))
    }

    pub(super) fn event(&self, event: EventIndex) -> Option<Node> {
        self.nodes.events.get(&event).copied()
    }

    pub(super) fn point(&self, point: &Point) -> Option<Node> {
        self.nodes.of_point(point)
    }
}

struct Draft {
    graph: Graph<Reason>,
    nodes: Nodes,
}

impl Draft {
    fn add_events(&mut self, book: &Book<'_>) {
        let mut last_of_publisher: HashMap<u32, Node> = HashMap::new();
        for (event, publication) in book.iter().filter(|(_, publication)| publication.is_stored()) {
            let node = self.event(book, event);
            let asked = self.moment(publication.asked_at);
            self.graph.add_edge(asked, node, Reason::Time);
            if let Some(known_at) = publication.known_at() {
                let known = self.moment(known_at);
                self.graph.add_edge(node, known, Reason::Time);
            }
            if publication.acknowledged_at.is_none() {
                continue;
            }
            // In the order of the book, which is that of asking.
            let publisher = publication.name().publisher;
            if let Some(last) = last_of_publisher.insert(publisher, node).filter(|&last| last != node) {
                self.graph.add_edge(last, node, Reason::Publisher(publisher));
            }
        }
    }

    fn add_stretch(&mut self, book: &Book<'_>, index: usize, stretch: &Stretch) {
        let mut start = None;
        if let Some(Now { connecting_at, opened_at }) = stretch.start.now {
            let node = self.graph.add_node();
            self.nodes.starts.insert(stretch.place, node);
            let connecting = self.moment(connecting_at);
            self.graph.add_edge(connecting, node, Reason::Time);
            if let Some(opened_at) = opened_at {
                let opened = self.moment(opened_at);
                self.graph.add_edge(node, opened, Reason::Time);
            }
            start = Some(node);
        }
        let mut last = stretch.start.after.as_ref().map(|point| self.point(book, point));
        for step in &stretch.steps {
            let node = self.point(book, &step.point);
            // Positions in frames are of what was there already: only events come after the start.
            let start = if matches!(step.point, Point::Event(_)) { start.take() } else { None };
            for before in start.into_iter().chain(last).filter(|&before| before != node) {
                self.graph.add_edge(before, node, Reason::Seen(index));
            }
            last = Some(node);
        }
    }

    /// The hub's own ids increase.
    fn chain_positions(&mut self) {
        let nodes: Vec<_> = self.nodes.positions.values().copied().collect();
        for pair in nodes.windows(2) {
            self.graph.add_edge(pair[0], pair[1], Reason::Ids);
        }
    }

    fn chain_moments(&mut self) {
        let nodes: Vec<_> = self.nodes.moments.values().copied().collect();
        for pair in nodes.windows(2) {
            self.graph.add_edge(pair[0], pair[1], Reason::Time);
        }
    }

    fn point(&mut self, book: &Book<'_>, point: &Point) -> Node {
        match point {
            Point::Event(event) => self.event(book, *event),
            Point::Position(position, known_at) => {
                let node = self.position(position);
                // A position that was named is that of something which was there, so what is asked for later is later.
                let known = self.moment(*known_at);
                self.graph.add_edge(node, known, Reason::Time);
                node
            }
        }
    }

    /// An event with one of the hub's own ids stands at its position.
    fn event(&mut self, book: &Book<'_>, event: EventIndex) -> Node {
        if let Some(&node) = self.nodes.events.get(&event) {
            return node;
        }
        let node = match book[event].position() {
            Some(position) => self.position(&position),
            None => self.graph.add_node(),
        };
        self.nodes.events.insert(event, node);
        node
    }

    fn position(&mut self, position: &HubPosition) -> Node {
        if let Some(&node) = self.nodes.positions.get(position) {
            return node;
        }
        let node = self.graph.add_node();
        self.nodes.positions.insert(position.clone(), node);
        node
    }

    fn moment(&mut self, at: usize) -> Node {
        *self.nodes.moments.entry(at).or_insert_with(|| self.graph.add_node())
    }
}

impl Nodes {
    fn of_point(&self, point: &Point) -> Option<Node> {
        match point {
            Point::Event(event) => self.events.get(event).copied(),
            Point::Position(position, _) => self.positions.get(position).copied(),
        }
    }

    /// What each node is, for a sentence.
    fn labels(&self, book: &Book<'_>) -> HashMap<Node, OrderPoint> {
        let moments = self.moments.iter().map(|(&at, &node)| (node, OrderPoint::Moment(at)));
        let starts = self.starts.iter().map(|(&place, &node)| (node, OrderPoint::Start(place)));
        let positions = self.positions.iter().map(|(at, &node)| (node, OrderPoint::Position(at.clone())));
        let events = self.events.iter().map(|(&event, &node)| {
            let publication = &book[event];
            (node, OrderPoint::Event { id: publication.id().map(str::to_owned), publication: publication.name() })
        });
        // An event says more than its position: it comes last.
        moments.chain(starts).chain(positions).chain(events).collect()
    }
}

/// A circle in words: what follows for one and the same reason is one step.
fn steps(circle: &[(Node, Reason)], labels: &HashMap<Node, OrderPoint>, stretches: &[Stretch]) -> Vec<OrderStep> {
    let mut circle = circle.to_vec();
    let reason_before = |at: usize| circle[(at + circle.len() - 1) % circle.len()].1;
    let turns: Vec<bool> = (0..circle.len()).map(|at| reason_before(at) != circle[at].1).collect();
    let first_turn = turns.iter().position(|&is_turn| is_turn).unwrap_or(0);
    circle.rotate_left(first_turn);
    let mut runs: Vec<(Node, Reason)> = Vec::new();
    for (node, reason) in circle {
        if runs.last().is_none_or(|(_, last)| *last != reason) {
            runs.push((node, reason));
        }
    }
    let label = |node: &Node| labels.get(node).cloned().expect("every node was given for something");
    let next = runs.iter().skip(1).chain(runs.first());
    let step = |((before, reason), (after, _)): (&(Node, Reason), &(Node, Reason))| OrderStep {
        before: label(before),
        after: label(after),
        reason: match *reason {
            Reason::Ids => OrderReason::Ids,
            Reason::Seen(stretch) => OrderReason::Seen(stretches[stretch].place.reader),
            Reason::Publisher(publisher) => OrderReason::Publisher(publisher),
            Reason::Time => OrderReason::Time,
        },
    };
    runs.iter().zip(next).map(step).collect()
}
