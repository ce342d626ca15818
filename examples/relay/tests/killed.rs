//! The relay as a program: killed in the middle of a load, and stopped by a signal.

mod setting;

use setting::{Device, Scratch, connect};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use undertone::transport::{EnvelopeId, Login, Transport, Verdict};

/// Kills, and envelopes that each sender gets through between two of them.
const KILLS: u64 = 3;
const SENDERS: u64 = 4;
const BETWEEN: u64 = 40;

/// Everything that was accepted arrives, although the relay is killed with SIGKILL while it is accepting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_killed_loses_nothing_that_it_accepted() {
    let scratch = Scratch::new();
    let (mut program, mut output, address) = run(&scratch, "127.0.0.1:0");
    let bob = Device::new("bob");
    let receiver = connect(address);
    bob.register(&receiver).await;

    let mut accepted = BTreeSet::new();
    let mut received = BTreeSet::new();
    for round in 0..=KILLS {
        let (senders, mut told) = tokio::sync::mpsc::unbounded_channel();
        let tasks: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (bob, senders, transport) = (Arc::clone(&bob), senders.clone(), connect(address));
                tokio::spawn(async move {
                    for number in 0.. {
                        let envelope = bob.envelope((round * SENDERS + sender) << 32 | number, 500);
                        // Until the relay is gone, in the middle of a call.
                        let Ok(verdicts) = transport.send(std::slice::from_ref(&envelope)).await else { break };
                        assert_eq!(verdicts, [Verdict::Accepted]);
                        senders.send(envelope.id).unwrap();
                    }
                })
            })
            .collect();
        drop(senders);
        let mut count = 0;
        while let Some(id) = told.recv().await {
            assert!(accepted.insert(id));
            count += 1;
            if count == SENDERS * BETWEEN {
                program.kill().unwrap();
                program.wait().unwrap();
            }
            if count % 10 == 0 && count < SENDERS * BETWEEN {
                received.extend(take(&receiver).await);
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
        drop(output);
        // The same address: the transports find it again.
        (program, output, _) = run(&scratch, &address.to_string());
    }

    assert!(accepted.len() as u64 >= (KILLS + 1) * SENDERS * BETWEEN);
    while !accepted.is_subset(&received) {
        received.extend(take(&receiver).await);
    }
    program.kill().unwrap();
    program.wait().unwrap();
    drop(output);
}

/// SIGTERM is a wish: the program ends by itself, without a log left to replay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_asked_to_stop_ends_in_order() {
    let scratch = Scratch::new();
    let (mut program, mut output, address) = run(&scratch, "127.0.0.1:0");
    let bob = Device::new("bob");
    let transport = connect(address);
    bob.register(&transport).await;
    transport.send(&[bob.envelope(1, 10)]).await.unwrap();

    let asked = Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap();
    assert!(asked.success());
    assert!(program.wait().unwrap().success());
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert_eq!(said, "stopped\n");
    assert!(!scratch.path("relay.sqlite-wal").exists());
    assert_eq!(transport.send(&[bob.envelope(2, 10)]).await.unwrap_err().code(), "transport.unreachable");

    let (mut program, output, _) = run(&scratch, &address.to_string());
    let again = connect(address);
    again.attach(Arc::clone(&bob) as Arc<dyn Login>).await.unwrap();
    assert_eq!(again.receive().await.unwrap().len(), 1);
    program.kill().unwrap();
    program.wait().unwrap();
    drop(output);
}

#[test]
fn a_wrong_command_line_is_explained() {
    let output = Command::new(env!("CARGO_BIN_EXE_relay")).args(["--listen", "nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("nowhere is no address and port"));
}

/// Receives and acknowledges once; nothing while the relay is away.
async fn take(receiver: &impl Transport) -> BTreeSet<EnvelopeId> {
    let ids: BTreeSet<EnvelopeId> = receiver.receive().await.unwrap_or_default().iter().map(|one| one.id).collect();
    let acknowledged: Vec<EnvelopeId> = ids.iter().copied().collect();
    let _ = receiver.acknowledge(&acknowledged).await;
    ids
}

/// Starts the program, and waits until it listens.
fn run(scratch: &Scratch, listen: &str) -> (Child, BufReader<ChildStdout>, SocketAddr) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_relay"))
        .args(["--listen", listen, "--database"])
        .arg(scratch.path("relay.sqlite"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(program.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
    (program, output, address)
}
