//! Whose places there are, who leaves for whom, and what a connection that left may still do.

use proptest::prelude::*;

use super::*;

const LONG: Duration = Duration::from_secs(3_600);

fn agent(id: &str) -> TokenOf<'_> {
    TokenOf::Agent(id)
}

async fn enter(room: &Arc<Room>) -> (Stay, Visitor) {
    let end = CancellationToken::new();
    let entering = tokio::time::timeout(Duration::from_secs(30), room.enter(&end));
    let stay = entering.await.expect("nobody makes room");
    let visitor = stay.visitor(Lane::default());
    (stay, visitor)
}

/// Whether it gets in without anybody leaving.
async fn gets_in(room: &Arc<Room>) -> bool {
    let end = CancellationToken::new();
    let mut entering = std::pin::pin!(room.enter(&end));
    std::future::poll_fn(|context| std::task::Poll::Ready(entering.as_mut().poll(context).is_ready())).await
}

#[tokio::test]
async fn a_new_one_ends_the_oldest_that_showed_no_token_and_no_other() {
    let room = Room::with(3, 2, Duration::ZERO);
    let (known, shows) = enter(&room).await;
    shows.shows(agent("echo")).unwrap();
    let ((old, _), (young, _)) = (enter(&room).await, enter(&room).await);
    let out = old.out.clone();
    let leaves = tokio::spawn(async move {
        out.cancelled().await;
        drop(old);
    });
    let (new, _) = enter(&room).await;
    leaves.await.unwrap();
    assert!(!known.out.is_cancelled() && !young.out.is_cancelled() && !new.out.is_cancelled());
}

#[tokio::test]
async fn whoever_has_just_come_has_its_time_to_show_a_token() {
    let room = Room::with(2, 1, LONG);
    let (one, other) = (enter(&room).await, enter(&room).await);
    assert!(!gets_in(&room).await);
    assert!(!one.0.out.is_cancelled() && !other.0.out.is_cancelled());
    drop(one);
    assert!(gets_in(&room).await);
}

#[tokio::test]
async fn nothing_is_done_for_a_connection_that_was_ended_for_another() {
    let room = Room::with(1, 1, Duration::ZERO);
    let (old, visitor) = enter(&room).await;
    assert!(!gets_in(&room).await && old.out.is_cancelled());
    assert_eq!(visitor.shows(agent("echo")), Err(NoRoom::Ended));
    assert_eq!(visitor.shows(TokenOf::Operator), Err(NoRoom::Ended));
}

#[tokio::test]
async fn the_operator_has_a_place_however_many_agents_have() {
    let room = Room::with(4, 2, LONG);
    let (first, second, third) = (enter(&room).await, enter(&room).await, enter(&room).await);
    first.1.shows(agent("echo")).unwrap();
    assert_eq!(second.1.shows(agent("echo")), Err(NoRoom::Agent(1)), "half and no more");
    second.1.shows(agent("quiet")).unwrap();
    assert_eq!(third.1.shows(agent("third")), Err(NoRoom::Agent(0)));
    third.1.shows(TokenOf::Operator).unwrap();
    // One that is its agent's already asks for nothing more.
    first.1.shows(agent("echo")).unwrap();
    drop(second);
    enter(&room).await.1.shows(agent("third")).unwrap();
}

proptest! {
    #[test]
    fn whoever_comes_an_agent_leaves_as_many_places_as_it_has(comes in prop::collection::vec((0_usize..4, any::<bool>()), 0..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let room = Room::with(64, 40, LONG);
            let mut stay: [Vec<Stay>; 4] = Default::default();
            for (which, leaves) in comes {
                if leaves {
                    stay[which].pop();
                    continue;
                }
                let taken: usize = stay.iter().map(Vec::len).sum();
                let (own, visitor) = enter(&room).await;
                let may = visitor.shows(agent(&which.to_string())).is_ok();
                assert_eq!(may, stay[which].len() < 40 - taken, "{which}");
                if may {
                    stay[which].push(own);
                }
            }
        });
    }
}
