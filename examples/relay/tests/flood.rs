//! A server that pushes without end.

mod setting;

use futures_util::{SinkExt, StreamExt};
use setting::{Device, connect};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use undertone::transport::protocol::{Answer, Call, mask, unmask};
use undertone::transport::{Delivery, EnvelopeId, Login, Transport};

/// What a flood consists of, if nobody stops it: far more than sockets hold between client and server.
const FLOOD: u64 = 64;
const ENVELOPES: u64 = 100;
/// What a client takes.
const TAKEN: u64 = 1_024;

/// A server that pushes without end fills no memory: the connection is broken, and the client says what was wrong.
#[tokio::test]
async fn a_server_that_pushes_without_end_is_left() {
    for size in [1, 16_000] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let transport = connect(listener.local_addr().unwrap());
        transport.attach(Device::new("bob") as Arc<dyn Login>).await.unwrap();
        let mut socket = sign_in(&listener).await;
        let flood = async {
            let mut number = 0;
            for _ in 0..FLOOD {
                if push(&mut socket, &mut number, ENVELOPES, size).await.is_err() {
                    return;
                }
            }
            // It took everything; nothing else ends this but the client.
            while let Some(Ok(_)) = socket.next().await {}
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), flood).await.expect("the client leaves");
        // It is told, although nobody was waiting when it happened.
        assert_eq!(transport.receive().await.unwrap_err().code(), "transport.malformed");

        // Control: as much as is allowed is taken, on the next connection.
        let mut socket = sign_in(&listener).await;
        let mut number = 0;
        push(&mut socket, &mut number, if size == 1 { TAKEN } else { 100 }, size).await.unwrap();
        assert_eq!(transport.receive().await.unwrap().len(), 100);
    }
}

/// Takes the next connection, and believes whoever signs in.
async fn sign_in(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    socket.send(masked(&Answer::Challenge([7; 32]), 0)).await.unwrap();
    let Some(Ok(Message::Binary(frame))) = socket.next().await else { panic!("a frame") };
    let (1, Call::SignIn { .. }) = Call::decode(&unmask(&frame).unwrap()).unwrap() else { panic!("a sign-in") };
    socket.send(masked(&Answer::Done, 1)).await.unwrap();
    socket
}

async fn push(
    socket: &mut WebSocketStream<TcpStream>,
    number: &mut u64,
    count: u64,
    size: usize,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let deliveries = (0..count).map(|_| {
        *number += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        Delivery { id: EnvelopeId(id), bytes: vec![7; size] }
    });
    let answer = Answer::Deliveries(deliveries.collect());
    socket.send(masked(&answer, 0)).await
}

fn masked(answer: &Answer, id: u64) -> Message {
    Message::Binary(mask(&answer.encode(id)).unwrap().into())
}
