//! The transport over WebSocket and the relay together do what every transport must.

mod setting;

use setting::{Scratch, options, start};
use undertone::transport::conformance::Suite;
use undertone::transport::{ServerLimits, WebSocketOptions, WebSocketTransport};
use undertone_relay::TlsFiles;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_websocket_transport_passes_the_suite() {
    let scratch = Scratch::new();
    let relay = start(options(&scratch)).await;
    let url = format!("ws://{}", relay.address());
    let report = Suite::new(|| WebSocketTransport::new(&url).unwrap()).run().await;
    assert!(report.is_ok(), "{report}");
    relay.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_passes_over_tls_under_a_root_of_ones_own() {
    let scratch = Scratch::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificates, key) = (scratch.path("chain.pem"), scratch.path("key.pem"));
    std::fs::write(&certificates, pem("CERTIFICATE", made.cert.der())).unwrap();
    std::fs::write(&key, pem("PRIVATE KEY", made.signing_key.serialized_der())).unwrap();
    let mut options = options(&scratch);
    options.tls = Some(TlsFiles { certificates, key });
    options.limits = ServerLimits { envelope: 10_000, ..ServerLimits::default() };
    let relay = start(options).await;
    let url = format!("wss://localhost:{}", relay.address().port());

    let root = made.cert.der().to_vec();
    let trusting = WebSocketOptions { root_certificates: vec![root], ..WebSocketOptions::default() };
    let connect = || WebSocketTransport::with_options(&url, trusting.clone()).unwrap();
    let report = Suite::new(connect).largest_envelope(10_000).run().await;
    assert!(report.is_ok(), "{report}");

    // Control: without that root there is no connection.
    let stranger = WebSocketTransport::new(&url).unwrap();
    let refused = undertone::transport::Transport::device_list(&stranger, "nobody", 0).await;
    assert_eq!(refused.unwrap_err().code(), "transport.unreachable");
    relay.shut_down().await;
}

/// PEM, without a dependency for it.
fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for place in 0..4 {
                let index = bits >> (18 - 6 * place) & 63;
                text.push(if place > group.len() { '=' } else { char::from(ALPHABET[index as usize]) });
            }
        }
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}
