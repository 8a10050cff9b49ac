//! Messages to channels: only to those that SOUL.md lists, only as the overseer saw them, and every attempt is recorded.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::{Value, json};
use soulbound_runtime::sandbox::{
    Access, AgentIdentity, BindError, BoundSkill, BoxFuture, Content, Decision, Effect, Outcome, Overseer,
    Permit,
};
use soulbound_runtime::{Denial, DenialId, Soul};

use crate::shared::{RUNTIME, call, call_watched, denied, guest, none, returned};

const LISTED: &str = "## Channels\n- slack: content-team\n- telegram: news\n  - approve: always\n";

fn bind(lines: &str, rest: &str) -> Result<BoundSkill, BindError> {
    let text = format!("## Identity\n- Name: Echo\n## Skills\n- probe-channels: Try\n{lines}{rest}");
    let soul = Soul::parse("SOUL.md", text.as_bytes()).unwrap();
    let agent = AgentIdentity {
        id: "echo".to_owned(),
        named: "./SOUL.md".to_owned(),
        folder: Path::new("/").to_owned(),
    };
    RUNTIME.bind(&agent, soul.skill("probe-channels").unwrap(), &guest("probe-channels"))
}

/// Writes down effects and what is delivered; answers each effect as it is told.
#[derive(Default)]
struct Desk {
    answer: Option<Result<Permit, Denial>>,
    broken: bool,
    asked: Mutex<Vec<Effect>>,
    delivered: Mutex<Vec<(String, Bytes)>>,
    accesses: Mutex<Vec<Access>>,
}

impl Overseer for Desk {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        self.asked.lock().unwrap().push(effect.clone());
        Box::pin(std::future::ready(self.answer.clone().unwrap_or(Ok(Permit::Unchanged))))
    }

    fn deliver<'a>(&'a self, channel: &'a str, text: &'a Content) -> BoxFuture<'a, Result<String, String>> {
        self.delivered.lock().unwrap().push((channel.to_owned(), text.0.clone()));
        let answer =
            if self.broken { Err("it answered 500".to_owned()) } else { Ok("stamped\u{1b}".to_owned()) };
        Box::pin(std::future::ready(answer))
    }

    fn record(&self, access: &Access) {
        self.accesses.lock().unwrap().push(access.clone());
    }
}

impl Desk {
    fn delivered(&self) -> Vec<(String, String)> {
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        self.delivered.lock().unwrap().iter().map(|(channel, bytes)| (channel.clone(), text(bytes))).collect()
    }
}

async fn send(skill: &BoundSkill, desk: &Arc<Desk>, channel: &str, text: &str) -> Outcome {
    call_watched(skill, "send", json!({"channel": channel, "text": text}), desk.clone()).await
}

fn said(outcome: &Outcome) -> String {
    match &outcome.ending {
        soulbound_runtime::sandbox::Ending::Failed { error: Some(error), .. } => error.message.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_listed_channel_a_skill_that_sends_does_not_start() {
    for rest in ["", "## Channels\n"] {
        let Err(BindError::Denied(denial)) = bind("", rest) else { panic!("it was bound") };
        assert_eq!(denial.id, DenialId::ImportNotGranted);
        assert!(denial.hint.as_deref().unwrap().contains("`## Channels`"), "{denial}");
    }
}

#[tokio::test]
async fn a_skill_may_be_refused_channels_and_then_each_message_is() {
    let skill = bind("  - refuse: channels\n", LISTED).unwrap();
    assert_eq!(returned(&call(&skill, "names", none()).await), json!([]));
    let desk = Arc::<Desk>::default();
    let outcome = send(&skill, &desk, "slack: content-team", "hello").await;
    assert_eq!(denied(&outcome), "import.refused");
    assert!(desk.asked.lock().unwrap().is_empty() && desk.delivered().is_empty());
    assert!(skill.channels().is_empty());
    // It starts without any channel as well.
    bind("  - refuse: channels\n", "").unwrap();
}

#[tokio::test]
async fn a_message_to_a_listed_channel_is_asked_about_recorded_and_delivered() {
    let skill = bind("", LISTED).unwrap();
    let names = returned(&call(&skill, "names", none()).await);
    assert_eq!(names, json!([["slack: content-team", false], ["telegram: news", true]]));
    let desk = Arc::<Desk>::default();
    let outcome = send(&skill, &desk, "slack:content-team", "two\nlines\tand é").await;
    assert_eq!(returned(&outcome), Value::from("stamped\\u001b"));
    assert_eq!(desk.delivered(), [("slack: content-team".to_owned(), "two\nlines\tand é".to_owned())]);
    let asked = desk.asked.lock().unwrap();
    assert!(
        matches!(&asked[..], [Effect::Message { channel, text }] if channel == "slack: content-team" && text.0.starts_with(b"two\n")),
        "{asked:?}"
    );
    let accesses = desk.accesses.lock().unwrap();
    assert_eq!(serde_json::to_value(&accesses[0]).unwrap()["kind"], "channel");
    assert_eq!((accesses[0].access.as_str(), accesses[0].decision), ("send", Decision::Allowed));
}

#[tokio::test]
async fn a_channel_that_is_not_listed_is_a_denial_and_nobody_is_asked() {
    let skill = bind("", LISTED).unwrap();
    for channel in
        ["slack: everyone", "content-team", "SLACK: content-team", "", "slack: content-team\n", "x\u{1b}[2J"]
    {
        let desk = Arc::<Desk>::default();
        let outcome = send(&skill, &desk, channel, "hello").await;
        // A name is trimmed and no more.
        if channel.trim() == "slack: content-team" {
            assert_eq!(desk.delivered().len(), 1);
            continue;
        }
        assert_eq!(denied(&outcome), "channel.not-listed", "{channel:?}");
        assert!(said(&outcome).starts_with("ErrorKind::NotListed"), "{}", said(&outcome));
        assert!(desk.asked.lock().unwrap().is_empty() && desk.delivered().is_empty());
        assert_eq!(desk.accesses.lock().unwrap()[0].decision, Decision::Denied);
    }
}

#[tokio::test]
async fn a_text_that_is_no_message_is_refused() {
    let skill = bind("", LISTED).unwrap();
    let desk = Arc::<Desk>::default();
    for text in ["", " \n\t", "a\rb", "a\0b", "a\u{1b}[31mb", "a\u{202e}b", "a\u{2028}b", "a\u{e0041}b"] {
        assert_eq!(
            denied(&send(&skill, &desk, "slack: content-team", text).await),
            "channel.text",
            "{text:?}"
        );
    }
    let large = |bytes: u32| json!({"channel": "slack: content-team", "bytes": bytes});
    assert!(call_watched(&skill, "send-large", large(16 << 10), desk.clone()).await.succeeded());
    let outcome = call_watched(&skill, "send-large", large((16 << 10) + 1), desk.clone()).await;
    assert_eq!(denied(&outcome), "channel.text");
    assert_eq!(desk.delivered().len(), 1);
}

#[tokio::test]
async fn what_the_overseer_refuses_is_not_delivered_and_what_it_masks_is_delivered_masked() {
    let skill = bind("", LISTED).unwrap();
    let refusal = Denial::new(DenialId::ApprovalDenied, "a person said no");
    let desk = Arc::new(Desk { answer: Some(Err(refusal)), ..Desk::default() });
    let outcome = send(&skill, &desk, "slack: content-team", "buy now").await;
    assert_eq!(denied(&outcome), "approval.denied");
    assert!(said(&outcome).contains("a person said no") && desk.delivered().is_empty());
    let masked = Permit::Masked(Content(Bytes::from_static(b"card ****")));
    let desk = Arc::new(Desk { answer: Some(Ok(masked)), ..Desk::default() });
    assert!(send(&skill, &desk, "slack: content-team", "card 4111").await.succeeded());
    assert_eq!(desk.delivered(), [("slack: content-team".to_owned(), "card ****".to_owned())]);
}

#[tokio::test]
async fn a_message_that_does_not_arrive_is_an_error_and_no_denial() {
    let skill = bind("", LISTED).unwrap();
    let desk = Arc::new(Desk { broken: true, ..Desk::default() });
    let outcome = send(&skill, &desk, "slack: content-team", "hello").await;
    assert!(said(&outcome).contains("NotDelivered: it answered 500"), "{}", said(&outcome));
    assert!(outcome.denials.is_empty());
    // Nobody delivers for a program that has no channels.
    let outcome = call(&skill, "send", json!({"channel": "slack: content-team", "text": "x"})).await;
    assert!(said(&outcome).contains("nobody delivers"), "{}", said(&outcome));
}

#[tokio::test]
async fn messages_of_one_call_are_counted_and_cost_egress() {
    let skill = bind("", LISTED).unwrap();
    let desk = Arc::<Desk>::default();
    let many = json!({"channel": "slack: content-team", "text": "x", "count": 40});
    let outcome = call_watched(&skill, "send-many", many, desk.clone()).await;
    assert_eq!((returned(&outcome), desk.delivered().len()), (32.into(), 32));
    assert!(outcome.denials.iter().all(|denial| denial.id == DenialId::LimitRequests));
    let skill = bind("  - limit: egress 10B/hour\n", LISTED).unwrap();
    let desk = Arc::<Desk>::default();
    assert!(send(&skill, &desk, "slack: content-team", "1234567").await.succeeded());
    assert_eq!(denied(&send(&skill, &desk, "slack: content-team", "1234567").await), "limit.egress");
    assert_eq!(desk.delivered().len(), 1);
}
