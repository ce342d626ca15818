//! `cargo xtask bench`: every operation beside the closest one of a peer, as ratios.

use crate::workspace;
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The benchmarks that hold the rows, each with the features it needs: what is compared with a peer is compared with default features.
const ENGINE: [(&str, &[&str]); 2] = [("peers", &[]), ("forgeries", &["--features", "signal"])];
/// What the client costs on top of the engine. It counts what it asks of its store, for which it needs the private floors.
const CLIENT: [(&str, &[&str]); 1] = [("client", &["--features", "__internals"])];
/// They write their rows to the file that this variable names.
const ROWS: &str = "UNDERTONE_BENCH_JSON";

/// Stands between the two tables of the page.
const CLIENT_SECTION: &str = "\n## The client\n\n\
    `cargo bench --features __internals --bench client`. Records and commits are counted by a store that counts, on every run: opening reads as many records\n\
    with 10 000 conversations as with 10, and a message into an established conversation is one commit. The time to send is that of\n\
    encrypting, committing and handing over to a server in the same process; on `SqliteStore` a commit waits until the disk has it.\n\n";

/// Below and above these a time reads better in another unit.
const MICROSECOND: f64 = 1e3;
const MILLISECOND: f64 = 1e6;

struct Row {
    name: String,
    ours: f64,
    peer: Option<(String, f64)>,
}

/// Runs the benchmarks, prints their table, writes it to `benches/RESULTS.md` and the rows to `json`.
pub fn run(json: Option<&str>) -> Result<(), String> {
    let (mut rows, mut tables) = (Vec::new(), Vec::new());
    for section in [ENGINE.as_slice(), CLIENT.as_slice()] {
        let mut of_section = Vec::new();
        for (benchmark, features) in section {
            of_section.extend(measure(benchmark, features)?);
        }
        let text = serde_json::to_string(&of_section).map_err(|error| error.to_string())?;
        let table = table(&parse(&text)?);
        println!("{table}");
        tables.push(table);
        rows.extend(of_section);
    }
    let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
    let relay = relay()?;
    println!("{relay}");
    let page = page(&tables.join(CLIENT_SECTION)) + RELAY_SECTION + &relay;
    fs::write(workspace::root().join("benches/RESULTS.md"), page)
        .map_err(|error| format!("benches/RESULTS.md: {error}"))?;
    match json {
        Some(file) => fs::write(Path::new(file), text).map_err(|error| format!("{file}: {error}")),
        None => Ok(()),
    }
}

/// What stands above the figures of the relay.
const RELAY_SECTION: &str = "\n## The relay\n\n\
    `cargo run --release -p undertone-relay --bin load` (as fast as it goes) and the same with `-- --every 2000` (each client one message in two seconds): 1 000\n\
    clients connected over WebSocket to one relay on the same machine, each sending to the next one; the time of a message is from before its sending until its\n\
    recipient has it, and every message is durable before it is accepted.\n\n\
    | load | messages per second | p50 | p99 |\n|---|--:|--:|--:|\n";

/// Passes messages among a thousand clients, as fast as it goes and at a rate.
fn relay() -> Result<String, String> {
    let mut table = String::new();
    for (load, arguments) in
        [("as fast as it goes", ["--every", "0"]), ("one message in 2 s each", ["--every", "2000"])]
    {
        let output = workspace::cargo()
            .args(["run", "--release", "--package", "undertone-relay", "--bin", "load", "--"])
            .args(arguments)
            .output()
            .map_err(|error| format!("cargo run: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let row = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|row| row["name"] == "relay_load")
            .ok_or("the relay was not measured")?;
        let figure = |name: &str| row[name].as_f64().ok_or_else(|| format!("the relay: no {name}"));
        let (rate, p50, p99) = (figure("messages_per_second")?, figure("p50_ms")?, figure("p99_ms")?);
        let clients = &row["clients"];
        let _ = writeln!(table, "| {clients} clients, {load} | {rate:.0} | {p50:.1} ms | {p99:.1} ms |");
    }
    Ok(table)
}

/// Runs one benchmark.
fn measure(benchmark: &str, features: &[&str]) -> Result<Vec<Value>, String> {
    let file = workspace::target_directory().join("xtask").join(format!("{benchmark}.json"));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let _ = fs::remove_file(&file);
    let status = workspace::cargo()
        .args(["bench", "--package", "undertone", "--bench", benchmark])
        .args(features)
        .env(ROWS, &file)
        .status()
        .map_err(|error| format!("cargo bench: {error}"))?;
    if !status.success() {
        return Err(format!("the benchmark `{benchmark}` failed"));
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("`{benchmark}` wrote no rows: {error}"))?;
    let rows: Vec<Value> =
        serde_json::from_str(&text).map_err(|error| format!("the rows of `{benchmark}`: {error}"))?;
    if rows.is_empty() { Err(format!("`{benchmark}` measured nothing")) } else { Ok(rows) }
}

fn parse(text: &str) -> Result<Vec<Row>, String> {
    let rows: Value = serde_json::from_str(text).map_err(|error| format!("the rows of the benchmark: {error}"))?;
    let rows = rows.as_array().filter(|rows| !rows.is_empty()).ok_or("the benchmark measured nothing")?;
    rows.iter()
        .map(|row| {
            let name = row["name"].as_str().ok_or("a row without a name")?.to_owned();
            let ours = row["ours_ns"].as_f64().ok_or_else(|| format!("{name}: no time"))?;
            let peer = row["peer"].as_str().map(str::to_owned).zip(row["peer_ns"].as_f64());
            Ok(Row { name, ours, peer })
        })
        .collect()
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from("| operation | undertone | peer | its time | ratio |\n|---|--:|---|--:|--:|\n");
    for Row { name, ours, peer } in rows {
        let (who, time, ratio) = match peer {
            Some((who, time)) => (who.as_str(), shown(*time), format!("{:.2}", ours / time)),
            None => ("", String::new(), String::new()),
        };
        let _ = writeln!(text, "| {name} | {} | {who} | {time} | {ratio} |", shown(*ours));
    }
    text
}

fn page(table: &str) -> String {
    format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench`: medians of one run on one machine, each row measured in turns with the peer's\n\
         closest operation. A ratio below 1 means less time than the peer. Times move with the machine, ratios far less.\n\
         Criterion measures one side after the other, so these rows have a harness of their own (`benches/peers`);\n\
         `cargo bench --bench engine` runs our operations alone under criterion.\n\n\
         - processor: {}\n- system: {} {}\n- compiler: {}\n- versions: undertone {}, {}\n\n{table}",
        processor(),
        std::env::consts::OS,
        std::env::consts::ARCH,
        first_line(Command::new("rustc").arg("--version")),
        locked("undertone"),
        PEERS.map(|peer| format!("{peer} {}", locked(peer))).join(", "),
    )
}

/// Peers and the primitives under us whose versions a reader of the numbers wants.
const PEERS: [&str; 3] = ["vodozemac", "curve25519-dalek", "libcrux-ml-kem"];

fn shown(nanoseconds: f64) -> String {
    match nanoseconds {
        short if short < MICROSECOND => format!("{short:.0} ns"),
        middle if middle < MILLISECOND => format!("{:.2} µs", middle / MICROSECOND),
        long => format!("{:.2} ms", long / MILLISECOND),
    }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match model {
        Some(model) => format!("{model}, {cores} cores"),
        None => {
            format!("{}, {cores} cores", first_line(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"])))
        }
    }
}

/// The versions of a package in the lock file.
fn locked(package: &str) -> String {
    let lock = fs::read_to_string(workspace::root().join("Cargo.lock")).unwrap_or_default();
    let name = format!("name = \"{package}\"");
    let lines: Vec<&str> = lock.lines().collect();
    let versions = lines.windows(2).filter(|pair| pair.first() == Some(&name.as_str()));
    let versions = versions.filter_map(|pair| pair.last()?.strip_prefix("version = \"")?.strip_suffix('"'));
    versions.collect::<Vec<_>>().join(" and ")
}

fn first_line(command: &mut Command) -> String {
    let output =
        command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    output.lines().next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_a_table_with_ratios() {
        let text = r#"[{"name":"round","ours_ns":1500.0,"peer":"vodozemac","peer_ns":3000.0,"ratio":0.5},
                       {"name":"save","ours_ns":2500000,"peer":null,"peer_ns":null,"ratio":null}]"#;
        let rows = parse(text).unwrap();
        let table = table(&rows);
        assert!(table.contains("| round | 1.50 µs | vodozemac | 3.00 µs | 0.50 |"), "{table}");
        assert!(table.contains("| save | 2.50 ms |  |  |  |"), "{table}");
    }

    #[test]
    fn no_rows_are_a_failure() {
        assert!(parse("[]").is_err());
        assert!(parse("[{\"ours_ns\":1}]").is_err());
        assert!(parse("").is_err());
    }
}
