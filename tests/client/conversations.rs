//! Two people, and what happens between them.

use super::world::*;

#[test]
fn two_people_talk() {
    let world = World::new();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    say(&alice, "bob", "hello");
    assert_eq!(texts(&bob), ["hello"]);
    say(&bob, "alice", "hi");
    say(&bob, "alice", "how are you?");
    assert_eq!(texts(&alice), ["hi", "how are you?"]);
    for number in 0..20 {
        say(&alice, "bob", &format!("a{number}"));
        say(&bob, "alice", &format!("b{number}"));
        assert_eq!(texts(&alice), [format!("b{number}")]);
        assert_eq!(texts(&bob), [format!("a{number}")]);
    }
}
