//! Checkpoints that several threads want to write at the same time: the keeper seals a file that was full just before the
//! end, and the commit thread ends.

use std::thread;

use super::{World, publication, publish};
use crate::Durability;
use crate::checkpoint::Checkpoint;
use crate::recover::recover;

#[test]
fn checkpoints_are_written_one_at_a_time() {
    let world = World::new(Durability::Sync);
    publish(&world.open(), (0..20).map(|_| publication("a", "x")));
    let (shared, _committer) = recover(world.options.clone()).expect("it can be opened");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    shared.write_checkpoint().expect("nobody takes another's file away");
                    let checkpoint = Checkpoint::read(&shared.layout.checkpoint()).expect("it can be read");
                    assert_eq!(checkpoint.and_then(|whole| whole.head()), Some((shared.epoch, shared.tail())));
                }
            });
        }
    });
}
