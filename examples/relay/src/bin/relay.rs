//! The relay as a program: `relay --listen 127.0.0.1:8080 --database relay.sqlite [--certificates chain.pem --key key.pem]`.

use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use undertone_relay::{Relay, RelayOptions, TlsFiles};

#[tokio::main]
async fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(complaint) => {
            eprintln!("relay: {complaint}");
            eprintln!("usage: relay --listen ADDRESS:PORT --database FILE [--certificates FILE --key FILE]");
            return ExitCode::from(2);
        }
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Until it is told to stop, by SIGTERM or from the keyboard.
async fn run(options: RelayOptions) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let relay = Relay::start(options).await?;
    println!("listening on {}", relay.address());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    relay.shut_down().await;
    println!("stopped");
    Ok(())
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<RelayOptions, String> {
    let (mut listen, mut database, mut certificates, mut key) = (None, None, None, None);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--listen" => listen = Some(value.parse().map_err(|_| format!("{value} is no address and port"))?),
            "--database" => database = Some(value.into()),
            "--certificates" => certificates = Some(value.into()),
            "--key" => key = Some(value.into()),
            _ => return Err(format!("there is no option {name}")),
        }
    }
    let mut options = RelayOptions::new(listen.ok_or("--listen is missing")?, database.ok_or("--database is missing")?);
    options.tls = match (certificates, key) {
        (Some(certificates), Some(key)) => Some(TlsFiles { certificates, key }),
        (None, None) => None,
        _ => return Err("--certificates and --key go together".to_owned()),
    };
    Ok(options)
}
