//! What the relay takes, what it refuses, and how it ends.

mod setting;

use futures_util::{SinkExt, StreamExt};
use setting::{Device, Scratch, connect, options, start};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use undertone::transport::protocol::{Answer, Call, MAX_FRAME, mask, unmask};
use undertone::transport::{
    Login, MeetingPlace, ServerLimits, Transport, TransportFault, Verdict, WebSocketOptions, WebSocketTransport,
    Witness,
};
use undertone_relay::{Rate, Relay};

/// B47: only a device that the account's own list names may receive, whatever name it signs in under.
#[tokio::test]
async fn another_key_does_not_sign_in() {
    let scratch = Scratch::new();
    let relay = start(options(&scratch)).await;
    let bob = Device::new("bob");
    bob.register(&connect(relay.address())).await;

    let thief = connect(relay.address());
    thief.attach(Device::new("bob") as Arc<dyn Login>).await.unwrap();
    assert_eq!(thief.receive().await.unwrap_err().code(), "transport.unauthorized");
    assert!(relay.metrics().unauthorized.load(Ordering::Relaxed) > 0);

    // Control: the key that is on the list does.
    let own = connect(relay.address());
    own.attach(Arc::clone(&bob) as Arc<dyn Login>).await.unwrap();
    assert_eq!(own.witness(&Witness { generation: 1, mac: [1; 32] }).await.unwrap(), None);
    relay.shut_down().await;
}

/// Another account key does not take over a name, and no one publishes for another device.
#[tokio::test]
async fn a_name_belongs_to_who_came_first() {
    let scratch = Scratch::new();
    let relay = start(options(&scratch)).await;
    let (bob, carol, thief) = (Device::new("bob"), Device::new("carol"), Device::new("bob"));
    let transport = connect(relay.address());
    bob.register(&transport).await;
    carol.register(&connect(relay.address())).await;
    assert_eq!(transport.publish(&carol.publication).await.unwrap_err().code(), "transport.refused");
    let statements = transport.publish(&thief.publication).await;
    assert_eq!(statements.unwrap_err().code(), "transport.refused");
    assert_eq!(transport.device_list("bob", 0).await.unwrap(), bob.publication.statements);
    relay.shut_down().await;
}

/// D4: what a device sends goes over a connection that never signs in; the one that did is refused what would tell who sends.
#[tokio::test]
async fn a_signed_in_connection_does_not_send() {
    let scratch = Scratch::new();
    let relay = start(options(&scratch)).await;
    let bob = Device::new("bob");
    bob.register(&connect(relay.address())).await;

    let mut socket = raw(&relay, "/v1/device").await;
    let (_, Answer::Challenge(challenge)) = hear(&mut socket).await else { panic!("no challenge") };
    let signature = bob.sign(&challenge).unwrap();
    say(&mut socket, Call::SignIn { device: bob.address.clone(), signature }.encode(1)).await;
    assert!(matches!(hear(&mut socket).await, (1, Answer::Done)));
    let calls = [
        Call::Send(vec![bob.envelope(1, 10)]),
        Call::Fetch { account: "bob".to_owned(), devices: vec![1] },
        Call::DeviceList { account: "bob".to_owned(), after: 0 },
    ];
    for (id, call) in (2..).zip(calls) {
        say(&mut socket, call.encode(id)).await;
        assert!(
            matches!(hear(&mut socket).await, (answered, Answer::Failed(TransportFault::Refused)) if answered == id)
        );
    }

    // A signature over another challenge is none.
    let mut again = raw(&relay, "/v1/device").await;
    assert!(matches!(hear(&mut again).await, (0, Answer::Challenge(other)) if other != challenge));
    say(&mut again, Call::SignIn { device: bob.address.clone(), signature }.encode(1)).await;
    assert!(matches!(hear(&mut again).await, (1, Answer::Failed(TransportFault::Unauthorized))));
    relay.shut_down().await;
}

#[tokio::test]
async fn garbage_ends_the_connection_and_nothing_else() {
    let scratch = Scratch::new();
    let relay = start(options(&scratch)).await;
    let bob = Device::new("bob");
    let transport = connect(relay.address());
    bob.register(&transport).await;
    for (path, frame) in [
        ("/v1/open", Message::Binary(b"garbage".to_vec().into())),
        ("/v1/open", masked(b"garbage")),
        ("/v1/open", Message::Binary(Call::Fetch { account: "bob".to_owned(), devices: vec![1] }.encode(1).into())),
        ("/v1/open", Message::Binary(Vec::new().into())),
        ("/v1/open", Message::Text("hello".into())),
        ("/v1/device", Message::Binary(vec![0xFF; 100].into())),
        ("/v1/open", Message::Binary(vec![7; MAX_FRAME + 1].into())),
    ] {
        let mut socket = raw(&relay, path).await;
        // A frame that is too large may be cut off while it is written.
        let _ = socket.send(frame).await;
        let ended = async { while let Some(Ok(_)) = socket.next().await {} };
        tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();
    }
    assert!(relay.metrics().malformed.load(Ordering::Relaxed) >= 6);
    assert_eq!(transport.send(&[bob.envelope(1, 10)]).await.unwrap(), [Verdict::Accepted]);
    relay.shut_down().await;
}

/// Whoever answers with garbage, with silence or with far too much is not believed.
#[tokio::test]
async fn the_transport_survives_a_server_that_answers_garbage() {
    for (frame, code) in [
        (Message::Binary(b"garbage".to_vec().into()), "transport.malformed"),
        (masked(b"garbage"), "transport.malformed"),
        (Message::Text("garbage".into()), "transport.malformed"),
        (masked(&Answer::Deliveries(Vec::new()).encode(0)), "transport.malformed"),
        (Message::Binary(vec![7; 10 << 20].into()), "transport.malformed"),
        (Message::Close(None), "transport.unreachable"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            let _ = socket.next().await;
            let _ = socket.send(frame).await;
            while let Some(Ok(_)) = socket.next().await {}
        });
        let answer = connect(address).device_list("bob", 0).await;
        assert_eq!(answer.unwrap_err().code(), code);
        server.abort();
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_not_awaited_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let options = WebSocketOptions { request_timeout: Duration::from_millis(50), ..WebSocketOptions::default() };
    let transport = WebSocketTransport::with_options(&url, options).unwrap();
    assert_eq!(transport.device_list("bob", 0).await.unwrap_err().code(), "transport.unreachable");
    drop(listener);
    assert_eq!(transport.device_list("bob", 0).await.unwrap_err().code(), "transport.unreachable");
}

/// B14: whoever asks for too much is told to wait, and the others are not.
#[tokio::test]
async fn too_many_requests_are_refused() {
    let scratch = Scratch::new();
    let mut options = options(&scratch);
    options.rate_of_connection = Rate { per_second: 0.0, burst: 12.0 };
    let relay = start(options).await;
    let bob = Device::new("bob");
    bob.register(&connect(relay.address())).await;
    let greedy = connect(relay.address());
    for _ in 0..2 {
        greedy.fetch("bob", &[1]).await.unwrap();
    }
    let error = greedy.fetch("bob", &[1]).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("transport.rate_limited", true));
    connect(relay.address()).fetch("bob", &[1]).await.unwrap();
    assert_eq!(relay.metrics().rate_limited.load(Ordering::Relaxed), 1);
    relay.shut_down().await;
}

#[tokio::test]
async fn an_address_has_a_limit_of_its_own() {
    let scratch = Scratch::new();
    let mut options = options(&scratch);
    options.rate_of_address = Rate { per_second: 0.0, burst: 5.0 };
    let relay = start(options).await;
    let place = MeetingPlace([1; 16]);
    connect(relay.address()).leave(&place, 1, b"hello").await.unwrap();
    connect(relay.address()).leave(&place, 2, b"hello").await.unwrap();
    let third = connect(relay.address()).leave(&place, 3, b"hello").await;
    assert_eq!(third.unwrap_err().code(), "transport.rate_limited");
    relay.shut_down().await;
}

#[tokio::test]
async fn sizes_and_mailboxes_are_limited() {
    let scratch = Scratch::new();
    let mut options = options(&scratch);
    options.limits = ServerLimits { envelope: 100, mailbox: 2, meeting_message: 10 };
    let relay = start(options).await;
    let (bob, transport) = (Device::new("bob"), connect(relay.address()));
    bob.register(&transport).await;
    let envelopes = [bob.envelope(0, 101), bob.envelope(1, 100), bob.envelope(2, 1), bob.envelope(3, 1)];
    let verdicts = transport.send(&envelopes).await.unwrap();
    assert_eq!(verdicts, [Verdict::TooLarge, Verdict::Accepted, Verdict::Accepted, Verdict::MailboxFull]);
    transport.acknowledge(&[bob.envelope(1, 0).id]).await.unwrap();
    assert_eq!(transport.send(&[bob.envelope(3, 1)]).await.unwrap(), [Verdict::Accepted]);
    let error = transport.leave(&MeetingPlace([1; 16]), 1, &[0; 11]).await.unwrap_err();
    assert_eq!(error.code(), "transport.too_large");
    relay.shut_down().await;
}

/// A mailbox has a limit in bytes, too: what is acknowledged or too old counts no longer.
#[tokio::test]
async fn the_bytes_of_a_mailbox_are_limited() {
    let scratch = Scratch::new();
    let mut options = options(&scratch);
    options.mailbox_bytes = 1_000;
    let relay = start(options).await;
    let (bob, transport) = (Device::new("bob"), connect(relay.address()));
    bob.register(&transport).await;
    let envelopes = [bob.envelope(1, 600), bob.envelope(2, 401), bob.envelope(3, 400), bob.envelope(4, 1)];
    let verdicts = transport.send(&envelopes).await.unwrap();
    assert_eq!(verdicts, [Verdict::Accepted, Verdict::MailboxFull, Verdict::Accepted, Verdict::MailboxFull]);
    // What is known was accepted.
    assert_eq!(transport.send(&[bob.envelope(1, 600)]).await.unwrap(), [Verdict::Accepted]);
    for _ in 0..2 {
        transport.acknowledge(&[bob.envelope(1, 0).id]).await.unwrap();
    }
    let verdicts = transport.send(&[bob.envelope(5, 601), bob.envelope(6, 600)]).await.unwrap();
    assert_eq!(verdicts, [Verdict::MailboxFull, Verdict::Accepted]);
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    relay.expire_at(now + 31 * 86_400).await.unwrap();
    let verdicts = transport.send(&[bob.envelope(7, 1_001), bob.envelope(8, 1_000)]).await.unwrap();
    assert_eq!(verdicts, [Verdict::MailboxFull, Verdict::Accepted]);
    relay.shut_down().await;
}

/// A device that acknowledges nothing gets so many bytes and no more; what it acknowledges makes room.
#[tokio::test]
async fn a_slow_device_is_not_flooded() {
    let scratch = Scratch::new();
    let relay = start(options(&scratch)).await;
    let bob = Device::new("bob");
    bob.register(&connect(relay.address())).await;
    let envelopes: Vec<_> = (0..24).map(|number| bob.envelope(number, 1 << 20)).collect();
    for envelope in &envelopes {
        let sent = connect(relay.address()).send(std::slice::from_ref(envelope)).await;
        assert_eq!(sent.unwrap(), [Verdict::Accepted]);
    }
    let mut socket = raw(&relay, "/v1/device").await;
    let (0, Answer::Challenge(challenge)) = hear(&mut socket).await else { panic!("a challenge") };
    let signature = bob.sign(&challenge).unwrap();
    say(&mut socket, Call::SignIn { device: bob.address.clone(), signature }.encode(1)).await;
    assert!(matches!(hear(&mut socket).await, (1, Answer::Done)));
    let mut ids = Vec::new();
    while ids.len() < 8 {
        let (0, Answer::Deliveries(deliveries)) = hear(&mut socket).await else { panic!("deliveries") };
        ids.extend(deliveries.iter().map(|delivery| delivery.id));
    }
    // The next that comes is an answer, and then what the acknowledgement has made room for.
    say(&mut socket, Call::Witness(Witness { generation: 1, mac: [1; 32] }).encode(2)).await;
    assert!(matches!(hear(&mut socket).await, (2, Answer::Witness(None))));
    say(&mut socket, Call::Acknowledge(vec![ids[0]]).encode(3)).await;
    assert!(matches!(hear(&mut socket).await, (3, Answer::Done)));
    assert!(matches!(hear(&mut socket).await, (0, Answer::Deliveries(more)) if more[0].id == envelopes[8].id));
    relay.shut_down().await;
}

/// Mail that waits is not forgotten when the database fails while it is handed out: the connection ends, and the next one gets it.
#[tokio::test]
async fn a_database_that_fails_while_mail_is_handed_out_ends_the_connection() {
    let scratch = Scratch::new();
    let relay = start(options(&scratch)).await;
    let (bob, first) = (Device::new("bob"), connect(relay.address()));
    bob.register(&first).await;
    first.send(&[bob.envelope(1, 10)]).await.unwrap();
    first.close().await;

    let other = rusqlite::Connection::open(scratch.path("relay.sqlite")).unwrap();
    other.execute_batch("ALTER TABLE envelopes RENAME TO gone").unwrap();
    let transport = connect(relay.address());
    transport.attach(Arc::clone(&bob) as Arc<dyn Login>).await.unwrap();
    // Only whoever is never told waits so long.
    let told = tokio::time::timeout(Duration::from_secs(30), transport.receive()).await;
    assert_eq!(told.unwrap().unwrap_err().code(), "transport.unreachable");

    other.execute_batch("ALTER TABLE gone RENAME TO envelopes").unwrap();
    let delivered = async {
        loop {
            if let Ok(deliveries) = transport.receive().await {
                return deliveries;
            }
        }
    };
    let delivered = tokio::time::timeout(Duration::from_secs(30), delivered).await.unwrap();
    assert_eq!(delivered[0].id, bob.envelope(1, 10).id);
    relay.shut_down().await;
}

#[tokio::test]
async fn what_is_too_old_is_forgotten() {
    let scratch = Scratch::new();
    let relay = start(options(&scratch)).await;
    let (bob, transport) = (Device::new("bob"), connect(relay.address()));
    bob.register(&transport).await;
    transport.send(&[bob.envelope(1, 10)]).await.unwrap();
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();

    relay.expire_at(now + 29 * 86_400).await.unwrap();
    assert_eq!(transport.receive().await.unwrap().len(), 1);
    relay.expire_at(now + 31 * 86_400).await.unwrap();
    assert_eq!(relay.metrics().envelopes_expired.load(Ordering::Relaxed), 1);
    // Its name is forgotten with it: the same envelope is a new one.
    transport.send(&[bob.envelope(2, 10)]).await.unwrap();
    let again = connect(relay.address());
    again.attach(Arc::clone(&bob) as Arc<dyn Login>).await.unwrap();
    let waiting: Vec<_> = again.receive().await.unwrap().iter().map(|one| one.id).collect();
    assert_eq!(waiting, [bob.envelope(2, 10).id]);

    let place = MeetingPlace([9; 16]);
    transport.leave(&place, 1, b"old").await.unwrap();
    relay.expire_at(now + 700).await.unwrap();
    transport.leave(&place, 1, b"new").await.unwrap();
    assert_eq!(transport.collect(&place, 1).await.unwrap(), b"new");
    relay.shut_down().await;
}

/// A relay that stops has committed what it accepted; a transport that waits is told.
#[tokio::test]
async fn a_relay_that_is_stopped_loses_nothing() {
    let scratch = Scratch::new();
    let relay = start(options(&scratch)).await;
    let (bob, transport) = (Device::new("bob"), connect(relay.address()));
    bob.register(&transport).await;
    let sender = connect(relay.address());
    sender.send(&[bob.envelope(1, 10)]).await.unwrap();
    transport.acknowledge(&[transport.receive().await.unwrap()[0].id]).await.unwrap();
    sender.send(&[bob.envelope(2, 10)]).await.unwrap();
    transport.close().await;

    let place = MeetingPlace([1; 16]);
    let (collected, ()) = tokio::join!(sender.collect(&place, 1), relay.shut_down());
    assert_eq!(collected.unwrap_err().code(), "transport.unreachable");
    assert!(!scratch.path("relay.sqlite-wal").exists(), "the log is in the database");

    let relay = start(options(&scratch)).await;
    let transport = connect(relay.address());
    transport.attach(Arc::clone(&bob) as Arc<dyn Login>).await.unwrap();
    let waiting: Vec<_> = transport.receive().await.unwrap().iter().map(|one| one.id).collect();
    assert_eq!(waiting, [bob.envelope(2, 10).id]);
    relay.shut_down().await;
}

#[tokio::test]
async fn health_and_metrics_are_plain_text() {
    let scratch = Scratch::new();
    let relay = start(options(&scratch)).await;
    let (bob, transport) = (Device::new("bob-of-the-metrics"), connect(relay.address()));
    bob.register(&transport).await;
    transport.send(&[bob.envelope(1, 10)]).await.unwrap();
    let health = get(&relay, "/health").await;
    assert!(health.starts_with("HTTP/1.1 200 ") && health.ends_with("ok\n"), "{health}");
    let metrics = get(&relay, "/metrics").await;
    assert!(metrics.contains("\nundertone_relay_envelopes_accepted_total 1\n"), "{metrics}");
    assert!(metrics.contains("# TYPE undertone_relay_connections gauge\n"), "{metrics}");
    assert!(!metrics.contains("bob"), "no name is in it");
    relay.shut_down().await;
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>;

async fn raw(relay: &Relay, path: &str) -> Socket {
    tokio_tungstenite::connect_async(format!("ws://{}{path}", relay.address())).await.unwrap().0
}

fn masked(frame: &[u8]) -> Message {
    Message::Binary(mask(frame).unwrap().into())
}

async fn say(socket: &mut Socket, frame: Vec<u8>) {
    socket.send(masked(&frame)).await.unwrap();
}

async fn hear(socket: &mut Socket) -> (u64, Answer) {
    loop {
        if let Message::Binary(frame) = socket.next().await.unwrap().unwrap() {
            return Answer::decode(&unmask(&frame).unwrap()).unwrap();
        }
    }
}

async fn get(relay: &Relay, path: &str) -> String {
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
